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
	"errors"
	"net/netip"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/compute/armcompute/v8"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/network/armnetwork/v9"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/resources/armsubscriptions"

	"github.com/nvad/nvad/pkg/azure"
)

// Options say which cloud is asked, and as whom.
type Options struct {
	// Cloud is the cloud's name as the metadata service gives it; empty: ask the metadata
	// service, and without it, AzurePublicCloud.
	Cloud string
	// Identity is "managed", "workload" or "cli"; empty: the first of them that there is.
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

// Client asks one cloud with one identity.
type Client struct {
	credential    azcore.TokenCredential
	network       *armnetwork.ClientFactory
	compute       *armcompute.ClientFactory
	subscriptions *armsubscriptions.ClientFactory
}

// New returns a client. It asks nothing of Resource Manager yet; the error says which
// identity there is none of.
func New(ctx context.Context, o Options) (*Client, error) {
	cred, err := azidentity.NewManagedIdentityCredential(nil)
	return &Client{credential: cred}, err
}

// Snapshot reads all that Ask names. It is an error if the VM itself can't be read;
// what else can't be is in [azure.Snapshot.Missing].
func (c *Client) Snapshot(ctx context.Context, a Ask) (azure.Snapshot, error) {
	return azure.Snapshot{}, errors.ErrUnsupported
}

// Register makes peer a BGP peer of both instances of rs, and reports whether that
// changed anything. It changes no connection that has another address.
func (c *Client) Register(ctx context.Context, rs azure.RouteServer, name string, peer netip.Addr, asn uint32) (bool, error) {
	return false, errors.ErrUnsupported
}

// ForwardAt lets nic forward packets that are not its own, and reports whether that
// changed anything.
func (c *Client) ForwardAt(ctx context.Context, nic azure.NIC) (bool, error) {
	return false, errors.ErrUnsupported
}

// SetHop adds hop to the next hops of a user-defined route of type VirtualApplianceEcmp,
// or removes it, and reports whether that changed anything. It refuses to remove the
// last next hop.
func (c *Client) SetHop(ctx context.Context, table azure.RouteTable, route string, hop netip.Addr, present bool) (bool, error) {
	return false, errors.ErrUnsupported
}
