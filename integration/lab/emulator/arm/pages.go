package arm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// pages cuts a list to the page that the request is for.
func (c *call) pages(a *answer, p *Problem) (*answer, *Problem) {
	size := c.server.being().PageSize
	if p != nil || size <= 0 {
		return a, p
	}
	var list struct {
		Value    []json.RawMessage `json:"value"`
		NextLink string            `json:"nextLink,omitempty"`
	}
	if err := json.Unmarshal(a.body, &list); err != nil {
		return nil, problem(http.StatusInternalServerError, "InternalServerError", "%v", err)
	}
	query := c.request.URL.Query()
	skip, _ := strconv.Atoi(query.Get("$skipToken"))
	if skip < 0 || skip > len(list.Value) {
		return nil, problem(http.StatusBadRequest, "InvalidSkipToken", "The skip token '%s' is invalid.", query.Get("$skipToken"))
	}
	list.Value = append([]json.RawMessage{}, list.Value[skip:]...)
	if len(list.Value) > size {
		list.Value = list.Value[:size]
		query.Set("$skipToken", strconv.Itoa(skip+size))
		list.NextLink = fmt.Sprintf("https://%s%s?%s", c.request.Host, c.request.URL.EscapedPath(), query.Encode())
	}
	a.body, _ = json.Marshal(list)
	return a, nil
}
