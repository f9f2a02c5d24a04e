package metadata

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// object is a JSON object whose values are strings, lists and objects.
type object = map[string]any

// instance is the documented answer, shortened by what says nothing of the
// network: every value is a string, and what does not apply is empty.
func (vm VM) instance() object {
	var nics []object
	for _, n := range vm.NICs {
		nics = append(nics, n.object())
	}
	return object{
		"compute": object{
			"azEnvironment":     "AZUREPUBLICCLOUD",
			"location":          "japaneast",
			"name":              vm.Name,
			"offer":             "ubuntu-24_04-lts",
			"osType":            "Linux",
			"publisher":         "Canonical",
			"resourceGroupName": "rg-nva",
			"sku":               "server",
			"vmScaleSetName":    "",
			"vmSize":            "Standard_B2ats_v2",
			"zone":              "",
		},
		"network": object{"interface": nics},
	}
}

func (n NIC) object() object {
	addresses := []object{}
	for _, a := range n.Addresses {
		addresses = append(addresses, object{"privateIpAddress": a.String(), "publicIpAddress": ""})
	}
	return object{
		"ipv4": object{
			"ipAddress": addresses,
			"subnet": []object{{
				"address": n.Subnet.Addr().String(), "prefix": strconv.Itoa(n.Subnet.Bits()),
			}},
		},
		"ipv6":       object{"ipAddress": []object{}},
		"macAddress": strings.ToUpper(hex.EncodeToString(n.MAC)),
	}
}
