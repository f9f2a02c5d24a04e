package imds

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// instanceVersion is the oldest API version whose answer has everything that nvad reads.
const instanceVersion = "2021-02-01"

// Instance describes a virtual machine.
type Instance struct {
	// Name is the VM's resource name, which scheduled events use.
	Name string
	// ID is the VM's resource ID in Resource Manager.
	ID string
	// Environment is the name of the cloud: AzurePublicCloud, AzureUSGovernmentCloud,
	// AzureChinaCloud. The case of its letters varies.
	Environment string
	// Subscription is the ID of the VM's subscription.
	Subscription string
	// ResourceGroup and Location are names.
	ResourceGroup, Location string
	// Tags are the VM's tags. A change shows after some minutes.
	Tags map[string]string
	// NICs are in no particular order.
	NICs []NIC
	// asker is the address from which the machine asked.
	asker netip.Addr
}

// NIC is a network interface of a VM.
type NIC struct {
	// MAC is the hardware address.
	MAC net.HardwareAddr
	// Addresses are private IPv4 addresses, the primary one first.
	Addresses []netip.Addr
	// Subnet is the subnet of Addresses.
	Subnet netip.Prefix
}

// Instance asks for the machine's name and NICs until there is an answer or ctx ends. The error
// wraps a [StatusError] or the error of the connection, with a hint for the operator.
func (c *Client) Instance(ctx context.Context) (*Instance, error) {
	a, err := c.get(ctx, "/instance", instanceVersion)
	if err != nil {
		return nil, err
	}
	in, err := parseInstance(a.body)
	if err != nil {
		return nil, fmt.Errorf("metadata service: /instance: %w", err)
	}
	in.asker = a.to
	return in, nil
}

// Primary returns the primary NIC, the only one that the service answers.
func (in *Instance) Primary() (NIC, error) {
	for _, n := range in.NICs {
		if slices.Contains(n.Addresses, in.asker) {
			return n, nil
		}
	}
	return NIC{}, fmt.Errorf("metadata service: %s asked, which is an address of none of the VM's NICs", in.asker)
}

// The answer, in which every value is a string.
type (
	rawInstance struct {
		Compute rawCompute
		Network struct{ Interface []rawNIC }
	}
	rawCompute struct {
		Name, AzEnvironment, ResourceID, SubscriptionID, ResourceGroupName, Location string

		TagsList []struct{ Name, Value string }
	}
	rawNIC struct {
		MACAddress string
		IPv4       struct {
			IPAddress []struct{ PrivateIPAddress string }
			Subnet    []struct{ Address, Prefix string }
		}
	}
)

func parseInstance(body []byte) (*Instance, error) {
	var raw rawInstance
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, fmt.Errorf("not the JSON that is documented: %w", err)
	}
	in := raw.Compute.instance()
	for i, r := range raw.Network.Interface {
		n, err := r.parse()
		if err != nil {
			return nil, fmt.Errorf("interface %d: %w", i, err)
		}
		if len(n.Addresses) > 0 {
			in.NICs = append(in.NICs, n)
		}
	}
	if len(in.NICs) == 0 {
		return nil, fmt.Errorf("no interface with an IPv4 address")
	}
	return in, nil
}

func (r rawCompute) instance() *Instance {
	in := &Instance{
		Name: r.Name, ID: r.ResourceID, Environment: r.AzEnvironment, Subscription: r.SubscriptionID,
		ResourceGroup: r.ResourceGroupName, Location: r.Location,
	}
	for _, t := range r.TagsList {
		if in.Tags == nil {
			in.Tags = map[string]string{}
		}
		in.Tags[t.Name] = t.Value
	}
	return in
}

// parse skips empty addresses: a NIC may have none yet.
func (r rawNIC) parse() (NIC, error) {
	mac, err := hex.DecodeString(r.MACAddress)
	if err != nil || len(mac) != 6 {
		return NIC{}, fmt.Errorf("macAddress %q: want 12 hexadecimal digits", r.MACAddress)
	}
	n := NIC{MAC: mac}
	for _, a := range r.IPv4.IPAddress {
		if a.PrivateIPAddress == "" {
			continue
		}
		addr, err := netip.ParseAddr(a.PrivateIPAddress)
		if err != nil {
			return NIC{}, fmt.Errorf("privateIpAddress: %w", err)
		}
		n.Addresses = append(n.Addresses, addr)
	}
	if len(n.Addresses) == 0 {
		return n, nil
	}
	if len(r.IPv4.Subnet) == 0 {
		return NIC{}, fmt.Errorf("%s has no subnet", n.Addresses[0])
	}
	n.Subnet, err = parseSubnet(r.IPv4.Subnet[0].Address, r.IPv4.Subnet[0].Prefix)
	return n, err
}

func parseSubnet(address, length string) (netip.Prefix, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("subnet address: %w", err)
	}
	bits, err := strconv.Atoi(length)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("subnet prefix %q: want a number", length)
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("subnet prefix: %w", err)
	}
	return p, nil
}
