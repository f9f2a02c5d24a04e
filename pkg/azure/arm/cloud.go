package arm

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"

	"github.com/nvad/nvad/pkg/imds"
)

// named is a cloud with the name that the metadata service gives it.
type named struct {
	name string
	cloud.Configuration
}

// The clouds that there are.
var clouds = []named{
	{"AzurePublicCloud", cloud.AzurePublic},
	{"AzureUSGovernmentCloud", cloud.AzureGovernment},
	{"AzureChinaCloud", cloud.AzureChina},
}

// machineTimeout bounds the wait for the metadata service, which answers within
// milliseconds, or never outside Azure.
const machineTimeout = 3 * time.Second

// machine asks the metadata service about this machine.
func machine(ctx context.Context) (*imds.Instance, error) {
	ctx, cancel := context.WithTimeout(ctx, machineTimeout)
	defer cancel()
	return imds.New().Instance(ctx)
}

// findCloud returns the cloud of that name, or without a name the machine's.
func (c *Client) findCloud(ctx context.Context, name string) (named, error) {
	if name == "" {
		name = clouds[0].name
		if in, err := c.machine(ctx); err == nil && in.Environment != "" {
			name = in.Environment
		}
	}
	var names []string
	for _, n := range clouds {
		if strings.EqualFold(n.name, name) {
			return n, nil
		}
		names = append(names, n.name)
	}
	return named{}, fmt.Errorf("cloud %q is not known: want one of %s", name, strings.Join(names, ", "))
}
