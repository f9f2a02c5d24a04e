package arm

import "testing"

// newWorld returns a hub with two NVAs, a Route Server, an ExpressRoute gateway and a spoke in
// another subscription, in the words of the REST reference.
func newWorld(t *testing.T) *world {
	w := &world{t: t, docs: map[string]string{}, lists: map[string][]string{}, results: map[string]string{}, denied: map[string]bool{}}
	w.machines()
	w.networks()
	w.routeServer()
	w.exchange()
	return w
}

func (w *world) machines() {
	w.set(vm1, `{"id":"{vm1}","name":"nva1","location":"westeurope","tags":{"nvad":"site1"},"properties":{"networkProfile":{"networkInterfaces":[
		{"id":"{nic1b}","properties":{"primary":false}},{"id":"{nic1}","properties":{"primary":true}}]}}}`)
	w.set(vm2, `{"id":"{vm2}","name":"nva2","location":"westeurope","tags":{"nvad":"site1","env":"prod"},"properties":{"networkProfile":{"networkInterfaces":[{"id":"{nic2}"}]}}}`)
	w.set(nic1, `{"id":"{nic1}","name":"nic-nva1","etag":"W/\"a\"","location":"westeurope","properties":{"primary":true,"macAddress":"00-0D-3A-04-75-98","enableIPForwarding":false,
		"enableAcceleratedNetworking":true,"virtualMachine":{"id":"{vm1}"},"networkSecurityGroup":{"id":"{nva}networkSecurityGroups/nsg-nva"},
		"ipConfigurations":[
		{"id":"{nic1}/ipConfigurations/second","name":"second","properties":{"privateIPAddress":"10.0.0.5","primary":false,"subnet":{"id":"{hub}/subnets/nva"}}},
		{"id":"{nic1}/ipConfigurations/first","name":"first","properties":{"privateIPAddress":"10.0.0.4","privateIPAllocationMethod":"Static","primary":true,
			"subnet":{"id":"{hub}/subnets/nva"},"publicIPAddress":{"id":"{nva}publicIPAddresses/pip"},
			"applicationSecurityGroups":[{"id":"{nva}applicationSecurityGroups/asg"}],
			"loadBalancerInboundNatRules":[{"id":"{nva}loadBalancers/lb/inboundNatRules/ssh"}],
			"loadBalancerBackendAddressPools":[{"id":"{nva}loadBalancers/lb/backendAddressPools/pool"}]}},
		{"id":"{nic1}/ipConfigurations/six","name":"six","properties":{"privateIPAddress":"fd00::4","privateIPAddressVersion":"IPv6"}}]}}`)
	w.set(nic1b, `{"id":"{nic1b}","name":"nic-nva1b","properties":{"enableIPForwarding":true,"virtualMachine":{"id":"{vm1}"},
		"ipConfigurations":[{"properties":{"privateIPAddress":"10.0.2.4","primary":true,"subnet":{"id":"{hub}/subnets/inside"}}}]}}`)
	w.set(nic2, `{"id":"{nic2}","name":"nic-nva2","properties":{"primary":true,"virtualMachine":{"id":"{vm2}"},
		"ipConfigurations":[{"properties":{"privateIPAddress":"10.1.0.4","primary":true,"subnet":{"id":"{spoke}/subnets/web"}}}]}}`)
	w.set(nicSpoke, `{"id":"{nicSpoke}","name":"nic-web","properties":{"primary":true,
		"ipConfigurations":[{"properties":{"privateIPAddress":"10.1.0.5","primary":true,"subnet":{"id":"{spoke}/subnets/web"}}}]}}`)
	w.list("/subscriptions", `{"subscriptionId":"{sub1}","state":"Enabled"}`, `{"subscriptionId":"{sub2}","state":"Enabled"}`, `{"subscriptionId":"gone","state":"Disabled"}`)
	w.list("/subscriptions/"+sub1+"/resources", `{"id":"{vm1}","type":"Microsoft.Compute/virtualMachines"}`, `{"id":"{ars}","type":"Microsoft.Network/virtualHubs"}`)
	w.list("/subscriptions/"+sub2+"/resources", `{"id":"{vm2}","type":"Microsoft.Compute/virtualMachines"}`)
}

func (w *world) networks() {
	w.set(hub, `{"id":"{hub}","name":"vnet-hub","location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00::/48"]},"subnets":[
		{"id":"{hub}/subnets/nva","name":"nva","properties":{"addressPrefix":"10.0.0.0/26","routeTable":{"id":"{tableNVA}"},"networkSecurityGroup":{"id":"{nva}networkSecurityGroups/nsg-subnet"},"defaultOutboundAccess":false}},
		{"id":"{hub}/subnets/inside","name":"inside","properties":{"addressPrefixes":["10.0.2.0/26"],"natGateway":{"id":"{nva}natGateways/nat"}}},
		{"id":"{hub}/subnets/RouteServerSubnet","name":"RouteServerSubnet","properties":{"addressPrefix":"10.0.1.0/26"}},
		{"id":"{hub}/subnets/GatewaySubnet","name":"GatewaySubnet","properties":{"addressPrefix":"10.0.3.0/26"}}],
		"virtualNetworkPeerings":[{"id":"{hub}/virtualNetworkPeerings/to-spoke","name":"to-spoke","properties":{"remoteVirtualNetwork":{"id":"{spoke}"},
			"peeringState":"Connected","peeringSyncLevel":"FullyInSync","allowVirtualNetworkAccess":true,"allowForwardedTraffic":true,"allowGatewayTransit":true,"useRemoteGateways":false,
			"remoteAddressSpace":{"addressPrefixes":["10.1.0.0/16"]},"remoteVirtualNetworkAddressSpace":{"addressPrefixes":["10.1.0.0/16"]}}}]}}`)
	w.set(spoke, `{"id":"{spoke}","name":"vnet-spoke","location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.1.0.0/16"]},"subnets":[
		{"id":"{spoke}/subnets/web","name":"web","properties":{"addressPrefix":"10.1.0.0/24"}}],
		"virtualNetworkPeerings":[{"name":"to-hub","properties":{"remoteVirtualNetwork":{"id":"{hub}"},"peeringState":"Connected","allowVirtualNetworkAccess":true,"useRemoteGateways":true,
			"peerCompleteVnets":false,"localSubnetNames":["web"],"remoteSubnetNames":["nva","inside"],"remoteAddressSpace":{"addressPrefixes":["10.0.0.0/16"]}}},
			{"name":"to-far","properties":{"remoteVirtualNetwork":{"id":"{far}"},"peeringState":"Disconnected"}}]}}`)
	w.set(far, `{"id":"{far}","name":"vnet-far","properties":{"addressSpace":{"addressPrefixes":["10.2.0.0/16"]}}}`)
	w.set(tableNVA, `{"id":"{tableNVA}","name":"rt-nva","etag":"W/\"t\"","properties":{"disableBgpRoutePropagation":true,"routes":[
		{"name":"default","properties":{"addressPrefix":"0.0.0.0/0","nextHopType":"Internet"}},
		{"name":"tag","properties":{"addressPrefix":"AzureMonitor","nextHopType":"Internet"}},
		{"name":"one","properties":{"addressPrefix":"10.9.0.0/16","nextHopType":"VirtualAppliance","nextHopIpAddress":"10.0.0.4"}},
		{"name":"both","properties":{"addressPrefix":"10.8.0.0/16","nextHopType":"VirtualApplianceEcmp","nextHop":{"nextHopIpAddresses":["10.0.0.4","10.0.0.6"]}}}]}}`)
}

func (w *world) routeServer() {
	w.list("/subscriptions/"+sub1+network+"virtualHubs",
		`{"id":"{net}virtualHubs/vwan-hub","name":"vwan-hub","properties":{"virtualWan":{"id":"{net}virtualWans/wan"},"virtualRouterIps":["10.7.0.4"]}}`,
		`{"id":"{other}","name":"ars-elsewhere","kind":"RouteServer","properties":{"virtualRouterIps":["10.6.0.4","10.6.0.5"]}}`,
		`{"id":"{ars}","name":"ars-hub","kind":"RouteServer","properties":{"virtualRouterAsn":65515,"virtualRouterIps":["10.0.1.5","10.0.1.4"],"allowBranchToBranchTraffic":true,
			"hubRoutingPreference":"ExpressRoute","provisioningState":"Succeeded","routingState":"Provisioned","sku":"Standard"}}`)
	w.list(rgNet+network+"virtualHubs", w.lists["/subscriptions/"+sub1+"/providers/microsoft.network/virtualhubs"][2])
	w.list(other+"/ipConfigurations", `{"name":"c","properties":{"subnet":{"id":"{net}virtualNetworks/vnet-elsewhere/subnets/RouteServerSubnet"}}}`)
	w.list(ars+"/ipConfigurations", `{"name":"c","properties":{"subnet":{"id":"{hub}/subnets/RouteServerSubnet"}}}`)
	w.list(ars+"/bgpConnections", `{"id":"{peer2}","name":"nva2","properties":{"peerIp":"10.1.0.4","peerAsn":65002,"provisioningState":"Succeeded","connectionState":"Connected"}}`,
		`{"id":"{peer1}","name":"nva1","properties":{"peerIp":"10.0.0.4","peerAsn":65001,"provisioningState":"Succeeded"}}`)
	w.list(rgNet+network+"virtualNetworkGateways",
		`{"id":"{net}virtualNetworkGateways/vpngw-elsewhere","name":"vpngw-elsewhere","properties":{"gatewayType":"Vpn","ipConfigurations":[{"properties":{"subnet":{"id":"{net}virtualNetworks/vnet-elsewhere/subnets/GatewaySubnet"}}}]}}`,
		`{"id":"{ergw}","name":"ergw","properties":{"gatewayType":"ExpressRoute","activeActive":false,"bgpSettings":{"asn":65515},"ipConfigurations":[{"properties":{"subnet":{"id":"{hub}/subnets/GatewaySubnet"}}}]}}`)
}

func (w *world) exchange() {
	w.result(peer1+"/learnedRoutes", `{"RouteServiceRole_IN_0":[{"localAddress":"10.0.1.5","network":"10.40.0.0/16","nextHop":"10.0.0.4","sourcePeer":"10.0.0.4","origin":"EBgp","asPath":"65001-65010","weight":32768}],
		"RouteServiceRole_IN_1":[],"value":null}`)
	w.result(peer1+"/advertisedRoutes", `{"RouteServiceRole_IN_0":[{"localAddress":"10.0.1.5","network":"10.0.0.0/16","nextHop":"10.0.1.5","origin":"Igp","asPath":"65515","weight":0}],"RouteServiceRole_IN_1":[]}`)
	w.result(peer2+"/learnedRoutes", `{"RouteServiceRole_IN_0":[],"RouteServiceRole_IN_1":[],"value":null}`)
	w.result(ergw+"/getLearnedRoutes", `{"value":[{"network":"10.50.0.0/16","sourcePeer":"10.0.3.4"},{"network":"10.50.0.0/16","sourcePeer":"10.0.3.5"},{"network":"10.51.0.0/16"}]}`)
	w.result(ergw+"/getBgpPeerStatus", `{"value":[{"neighbor":"10.0.1.4","asn":65515},{"neighbor":"10.0.3.4","asn":12076,"state":"Connected"}]}`)
	w.result(ergw+"/getAdvertisedRoutes", `{"value":[{"network":"10.0.0.0/16"},{"network":"10.1.0.0/16"},{"network":"10.40.0.0/16"}]}`)
	for _, nic := range []string{nic1, nic1b, nicSpoke} {
		w.result(nic+"/effectiveRouteTable", `{"value":[
			{"source":"Default","state":"Active","addressPrefix":["10.0.0.0/16","fd00::/48"],"nextHopType":"VnetLocal","nextHopIpAddress":[]},
			{"name":"default","source":"User","state":"Active","addressPrefix":["0.0.0.0/0"],"nextHopType":"Internet","nextHopIpAddress":[]},
			{"source":"VirtualNetworkGateway","state":"Invalid","addressPrefix":["10.40.0.0/16"],"nextHopType":"VirtualNetworkGateway","nextHopIpAddress":["10.0.0.4","10.1.0.4"]}]}`)
		w.result(nic+"/effectiveNetworkSecurityGroups", `{"value":[{"networkSecurityGroup":{"id":"{nva}networkSecurityGroups/nsg-nva"},"effectiveSecurityRules":[
			{"name":"securityRules/vxlan","protocol":"Udp","sourcePortRange":"0-65535","destinationPortRange":"4789-4789","sourcePortRanges":["0-65535"],"destinationPortRanges":["4789-4789"],
			 "sourceAddressPrefix":"10.1.0.0/16","destinationAddressPrefix":"0.0.0.0/0","sourceAddressPrefixes":["10.1.0.0/16"],"destinationAddressPrefixes":["0.0.0.0/0","0.0.0.0/0"],"access":"Allow","priority":100,"direction":"Inbound"},
			{"name":"defaultSecurityRules/AllowVnetInBound","protocol":"All","sourcePortRange":"*","destinationPortRange":"*","sourceAddressPrefix":"VirtualNetwork","destinationAddressPrefix":"VirtualNetwork",
			 "expandedSourceAddressPrefix":["10.0.0.0/16","10.1.0.0/16","168.63.129.16/32"],"expandedDestinationAddressPrefix":["10.0.0.0/16"],"access":"Allow","priority":65000,"direction":"Inbound"},
			{"name":"securityRules/unknown","protocol":"Tcp","sourcePortRange":"*","destinationPortRange":"443","sourceAddressPrefix":"SomeTag","destinationAddressPrefix":"*","access":"Deny","priority":110,"direction":"Outbound"}]}]}`)
	}
}
