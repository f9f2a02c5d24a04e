// One direction of a VNet peering.

param from string
param to string

resource near 'Microsoft.Network/virtualNetworks@2023-09-01' existing = {
  name: from
}

resource far 'Microsoft.Network/virtualNetworks@2023-09-01' existing = {
  name: to
}

// The outer packets have the addresses of the NVAs, so the peering forwards nothing.
resource peering 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings@2023-09-01' = {
  parent: near
  name: 'to-${to}'
  properties: {
    remoteVirtualNetwork: {
      id: far.id
    }
    allowVirtualNetworkAccess: true
    allowForwardedTraffic: false
    allowGatewayTransit: false
    useRemoteGateways: false
  }
}
