package arm

import (
	"context"
	"net/http"
	"strings"
)

// tagsVersion is the version of the API that writes tags. Later ones take their time.
const tagsVersion = "2021-04-01"

// Tag gives a VM a tag, and returns its resource ID and whether that changed anything. The empty
// ID is the machine that asks. Other tags stay, also those that somebody else writes meanwhile.
func (c *Client) Tag(ctx context.Context, id, name, value string) (string, bool, error) {
	id, err := c.which(ctx, id)
	if err != nil {
		return "", false, err
	}
	changed, err := c.again(ctx, func() (bool, error) {
		vm, err := c.readVM(ctx, id)
		if err != nil {
			return false, err
		}
		for has, old := range vm.Tags {
			if strings.EqualFold(has, name) && old == value {
				return false, nil
			}
		}
		c.begin("VM " + vm.Name + " to get the tag " + name)
		body := tagChange{Operation: "Merge"}
		body.Properties.Tags = map[string]string{name: value}
		var answer object
		_, err = c.send(ctx, http.MethodPatch, id+"/providers/Microsoft.Resources/tags/default", tagsVersion, nil, body, "", &answer)
		return true, err
	})
	return id, changed, err
}

// tagChange is a change of a resource's tags.
type tagChange struct {
	Operation  string `json:"operation"`
	Properties struct {
		Tags map[string]string `json:"tags"`
	} `json:"properties"`
}
