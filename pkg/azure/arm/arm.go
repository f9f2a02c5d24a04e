// Package arm asks Azure Resource Manager about an NVA and changes what the operator
// tells it to. Only nvactl links it: the SDK of Azure is larger than all of nvad, and the
// daemon that routes holds no token of Azure.
//
// It promises that reading changes nothing, that one request is under way at a time, that
// every wait ends with the context, and that each error says what an operator can do:
// which identity, which permission, which cloud. It keeps no state but its clients.
package arm

import (
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"

	"github.com/nvad/nvad/pkg/imds"
)

// Options say which cloud is asked, and as whom.
type Options struct {
	// Cloud is the cloud's name as the metadata service gives it; empty: ask the metadata
	// service, and without it, AzurePublicCloud.
	Cloud string
	// Identity is "managed", "workload" or "cli"; empty: the first that there is of
	// workload, which its environment variables announce, managed and cli.
	Identity string
	// ClientID chooses among several managed identities of the VM.
	ClientID string
	// Progress is told in one line what is waited for; nil: nobody is told.
	Progress func(line string)
	// Transport sends the requests; nil: the SDK's own client.
	Transport policy.Transporter
}

// Ask says what a Snapshot has.
type Ask struct {
	// VM is the resource ID of the NVA; empty: the machine that asks.
	VM string
	// Spokes are NICs whose effective routes are read too: a resource ID, or NAME or
	// RESOURCEGROUP/NAME in the VM's subscription.
	Spokes []string
	// Tag is NAME=VALUE or NAME: the other NVAs are the machines that have it. Empty: none.
	Tag string
	// Routes says whether to ask for effective routes and rules, and for what Route
	// Server learned and advertises: each takes Azure seconds.
	Routes bool
}

// Client asks one cloud with one identity. It is for one goroutine at a time.
type Client struct {
	cloud    named
	identity *identity
	options  arm.ClientOptions
	progress func(line string)
	// step names what the client waits for, for the error if time runs out.
	step string
	// spent is how many octets were read since the last Snapshot began.
	spent int
	// answered says that Resource Manager has answered at all.
	answered bool
	// raw sends the requests that the SDK's clients lack.
	raw      *arm.Client
	networks map[string]*armnetwork.ClientFactory // by subscription
	computes map[string]*armcompute.ClientFactory
	machine  func(context.Context) (*imds.Instance, error)
}

// New returns a client that has a token; it asks nothing of Resource Manager yet. The
// error says which identities there are none of, or which cloud is not known.
func New(ctx context.Context, o Options) (*Client, error) {
	return newClient(ctx, o, machine)
}

func newClient(ctx context.Context, o Options, machine func(context.Context) (*imds.Instance, error)) (*Client, error) {
	c := &Client{
		progress: o.Progress, machine: machine,
		networks: map[string]*armnetwork.ClientFactory{}, computes: map[string]*armcompute.ClientFactory{},
	}
	if c.progress == nil {
		c.progress = func(string) {}
	}
	c.begin("the name of the cloud")
	var err error
	if c.cloud, err = c.findCloud(ctx, o.Cloud); err != nil {
		return nil, err
	}
	client := c.clientOptions(o.Transport)
	c.options = arm.ClientOptions{ClientOptions: client, DisableRPRegistration: true}
	c.options.PerCallPolicies = []policy.Policy{&patience{c}}
	if c.identity, err = c.findIdentity(ctx, o, client); err != nil {
		return nil, err
	}
	c.raw, err = arm.NewClient("nvactl", "v1.0.0", c.identity, &c.options)
	return c, err
}

// clientOptions are those of every client: of Resource Manager's and of the identity's.
func (c *Client) clientOptions(transport policy.Transporter) policy.ClientOptions {
	if transport == nil {
		transport = newTransport(http.ProxyFromEnvironment)
	}
	return policy.ClientOptions{
		Cloud:     c.cloud.Configuration,
		Transport: bounded{newHome(transport, c.cloud.Services[cloud.ResourceManager].Endpoint), &c.spent},
		Telemetry: policy.TelemetryOptions{ApplicationID: "nvactl"},
	}
}

// host returns the name of Resource Manager.
func (c *Client) host() string {
	return strings.TrimPrefix(c.cloud.Services[cloud.ResourceManager].Endpoint, "https://")
}

// begin notes what is asked for next, and tells the operator.
func (c *Client) begin(step string) {
	c.step = step
	c.progress("asking for " + step)
}

func (c *Client) network(subscription string) (*armnetwork.ClientFactory, error) {
	if f := c.networks[subscription]; f != nil {
		return f, nil
	}
	f, err := armnetwork.NewClientFactory(subscription, c.identity, &c.options)
	c.networks[subscription] = f
	return f, err
}

func (c *Client) compute(subscription string) (*armcompute.ClientFactory, error) {
	if f := c.computes[subscription]; f != nil {
		return f, nil
	}
	f, err := armcompute.NewClientFactory(subscription, c.identity, &c.options)
	c.computes[subscription] = f
	return f, err
}
