package imds

import (
	"maps"
	"net/netip"
	"strings"
	"testing"
)

const documentedID = "/subscriptions/xxxxxxxx-xxxxx-xxx-xxx-xxxx/resourceGroups/macikgo-test-may-23/providers/Microsoft.Compute/virtualMachines/examplevmname"

// documented is the network, and what the VM is in Resource Manager, of the example in Azure's documentation.
const documented = `{"compute":{"azEnvironment":"AZUREPUBLICCLOUD","location":"westus","name":"examplevmname",
	"resourceGroupName":"macikgo-test-may-23","resourceId":"` + documentedID + `",
	"subscriptionId":"xxxxxxxx-xxxxx-xxx-xxx-xxxx","tags":"baz:bash;foo:bar",
	"tagsList":[{"name":"baz","value":"bash"},{"name":"foo","value":"bar"}],"vmScaleSetName":""},"network":{"interface":[{
	"ipv4":{"ipAddress":[{"privateIpAddress":"10.144.133.132","publicIpAddress":""}],
	        "subnet":[{"address":"10.144.133.128","prefix":"26"}]},
	"ipv6":{"ipAddress":[]},"macAddress":"0011AAFFBB22"}]}}`

func TestParseInstance(t *testing.T) {
	in, err := parseInstance([]byte(documented))
	if err != nil {
		t.Fatal(err)
	}
	n := in.NICs[0]
	if in.Name != "examplevmname" || n.MAC.String() != "00:11:aa:ff:bb:22" || n.Subnet.String() != "10.144.133.128/26" {
		t.Errorf("got %+v", in)
	}
	if in.ID != documentedID || in.Environment != "AZUREPUBLICCLOUD" || in.Subscription != "xxxxxxxx-xxxxx-xxx-xxx-xxxx" ||
		in.ResourceGroup != "macikgo-test-may-23" || in.Location != "westus" || !maps.Equal(in.Tags, map[string]string{"baz": "bash", "foo": "bar"}) {
		t.Errorf("got %+v", in)
	}
	in.asker = netip.MustParseAddr("10.9.9.9")
	if _, err := in.Primary(); err == nil {
		t.Error("an address of no NIC has a NIC")
	}
}

func TestParseInstanceRefuses(t *testing.T) {
	for want, body := range map[string]string{
		"not the JSON":          `<html>`,
		"no interface":          `{"network":{"interface":[]}}`,
		"no interface with":     strings.Replace(documented, "10.144.133.132", "", 1),
		`macAddress "0011"`:     strings.Replace(documented, "0011AAFFBB22", "0011", 1),
		`prefix "x"`:            strings.Replace(documented, `"26"`, `"x"`, 1),
		"subnet prefix":         strings.Replace(documented, `"26"`, `"99"`, 1),
		"subnet address":        strings.Replace(documented, "10.144.133.128", "ten", 1),
		"privateIpAddress":      strings.Replace(documented, "10.144.133.132", "ten", 1),
		"10.144.133.132 has no": strings.Replace(documented, `"subnet":[{"address":"10.144.133.128","prefix":"26"}]`, `"subnet":[]`, 1),
	} {
		if _, err := parseInstance([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
