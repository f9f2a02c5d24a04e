// A hub: a VNet, a Route Server, and a VM that cloud-init turns into a routing NVA.

param location string
param name string
param prefix string
param nva string
param remoteNvas array
param packageUrl string
param packageSha256 string
param repositoryUrl string
param repositoryKey string
param packageVersion string
@description('Where the package comes from, url or repository. If it is empty, set packageUrl and packageSha256, or repositoryUrl, repositoryKey and packageVersion.')
@minLength(1)
param packageFrom array
param imageVersion string
param nvas int
param nvaTags object
param roleDefinitionId string
@secure()
param nvaKey string
param wireguard bool
param forwardedPrefixes array
param managementPrefixes array
param announcesDefault bool
param adminUsername string
param adminPublicKey string
param vmSize string

var nvaSubnet = cidrSubnet(prefix, 24, 0)
var gatewaySubnet = cidrSubnet(prefix, 24, 200)
var routeServerSubnet = cidrSubnet(prefix, 24, 210)

// NVAs find each other by this tag.
var tagName = 'nvad'
var tagValue = resourceGroup().name

var values = {
  package_url: packageUrl
  package_sha256: packageSha256
  repository_url: repositoryUrl
  repository_key: repositoryKey
  package_version: packageVersion
  nva_tag: '${tagName}=${tagValue}'
  nvas: string(nvas)
  nva_key: base64(nvaKey)
  nva_tunnel: wireguard ? 'wireguard' : 'vxlan'
}
var userData = reduce(items(values), loadTextContent('../../cloud-init/bootstrap.yaml'), (text, v) => replace(text, '\${${v.key}}', v.value))

// Prefixes from which the NVA accepts SSH, if any.
var management = empty(managementPrefixes) ? [] : [
  {
    name: 'management'
    properties: {
      priority: 120
      direction: 'Inbound'
      access: 'Allow'
      protocol: 'Tcp'
      sourceAddressPrefixes: managementPrefixes
      sourcePortRange: '*'
      destinationAddressPrefix: nva
      destinationPortRange: '22'
    }
  }
]

// Encrypted tunnels, if any. bootstrap derives the port of each from the keys of its ends.
var encrypted = !wireguard ? [] : [
  {
    name: 'wireguard'
    properties: {
      priority: 105
      direction: 'Inbound'
      access: 'Allow'
      protocol: 'Udp'
      sourceAddressPrefixes: remoteNvas
      sourcePortRange: '*'
      destinationAddressPrefix: nva
      destinationPortRange: '51820-59883'
    }
  }
]

resource nsg 'Microsoft.Network/networkSecurityGroups@2023-09-01' = {
  name: 'nsg-${name}'
  location: location
  properties: {
    securityRules: concat(management, encrypted, [
      {
        name: 'vxlan'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Udp'
          sourceAddressPrefixes: remoteNvas
          sourcePortRange: '*'
          destinationAddressPrefix: nva
          destinationPortRange: '4789'
        }
      }
      {
        name: 'route-server'
        properties: {
          priority: 110
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: routeServerSubnet
          sourcePortRange: '*'
          destinationAddressPrefix: nva
          destinationPortRange: '179'
        }
      }
      // Nobody else can join the tunnel, and forwarded prefixes do not open the NVA itself.
      {
        name: 'deny-nva'
        properties: {
          priority: 190
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: nva
          destinationPortRange: '*'
        }
      }
      {
        name: 'forwarded-in'
        properties: {
          priority: 200
          direction: 'Inbound'
          access: 'Allow'
          protocol: '*'
          sourceAddressPrefixes: forwardedPrefixes
          sourcePortRange: '*'
          destinationAddressPrefixes: forwardedPrefixes
          destinationPortRange: '*'
        }
      }
      // Azure's default rules would permit the whole VNet and everything peered with it.
      {
        name: 'deny-in'
        properties: {
          priority: 4096
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
      {
        name: 'own-out'
        properties: {
          priority: 190
          direction: 'Outbound'
          access: 'Allow'
          protocol: '*'
          sourceAddressPrefix: nva
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
      {
        name: 'forwarded-out'
        properties: {
          priority: 200
          direction: 'Outbound'
          access: 'Allow'
          protocol: '*'
          sourceAddressPrefixes: forwardedPrefixes
          sourcePortRange: '*'
          destinationAddressPrefixes: forwardedPrefixes
          destinationPortRange: '*'
        }
      }
      {
        name: 'deny-out'
        properties: {
          priority: 4096
          direction: 'Outbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: '*'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ])
  }
}

// Route Server also programs routes from the NVA on the NVA's own NIC; a default route
// would return its packets to itself.
resource userRoutes 'Microsoft.Network/routeTables@2023-09-01' = if (announcesDefault) {
  name: 'rt-${name}-nva'
  location: location
  properties: {
    routes: [
      {
        name: 'internet'
        properties: {
          addressPrefix: '0.0.0.0/0'
          nextHopType: 'Internet'
        }
      }
    ]
  }
}

// The NVA's way out, to Azure Resource Manager: new subnets have none.
resource outbound 'Microsoft.Network/natGateways@2023-09-01' = {
  name: 'nat-${name}'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIpAddresses: [
      {
        id: outboundAddress.id
      }
    ]
  }
}

resource outboundAddress 'Microsoft.Network/publicIPAddresses@2023-09-01' = {
  name: 'pip-nat-${name}'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource vnet 'Microsoft.Network/virtualNetworks@2023-09-01' = {
  name: 'vnet-${name}'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [prefix]
    }
    subnets: [
      {
        name: 'default'
        properties: {
          addressPrefix: nvaSubnet
          networkSecurityGroup: {
            id: nsg.id
          }
          routeTable: announcesDefault ? { id: userRoutes.id } : null
          natGateway: {
            id: outbound.id
          }
          // For downloads from a storage account without a detour over the internet.
          serviceEndpoints: [{ service: 'Microsoft.Storage' }]
        }
      }
      {
        name: 'GatewaySubnet'
        properties: {
          addressPrefix: gatewaySubnet
        }
      }
      {
        name: 'RouteServerSubnet'
        properties: {
          addressPrefix: routeServerSubnet
        }
      }
    ]
  }
}

resource nic 'Microsoft.Network/networkInterfaces@2023-09-01' = {
  name: 'nic-${name}'
  location: location
  properties: {
    enableIPForwarding: true
    ipConfigurations: [
      {
        name: 'ipconfig1'
        properties: {
          privateIPAllocationMethod: 'Static'
          privateIPAddress: nva
          subnet: {
            id: vnet.properties.subnets[0].id
          }
        }
      }
    ]
  }
}

// Route Server takes up to half an hour to create, so the VM waits for it here rather than
// in cloud-init.
resource vm 'Microsoft.Compute/virtualMachines@2023-09-01' = {
  name: 'vm-${name}'
  location: location
  tags: union(nvaTags, { '${tagName}': tagValue })
  identity: {
    type: 'SystemAssigned'
  }
  dependsOn: [routeServerConfig]
  properties: {
    hardwareProfile: {
      vmSize: vmSize
    }
    storageProfile: {
      imageReference: {
        publisher: 'Canonical'
        offer: 'ubuntu-24_04-lts'
        sku: 'server'
        version: imageVersion
      }
      osDisk: {
        createOption: 'FromImage'
        managedDisk: {
          storageAccountType: 'Premium_LRS'
        }
      }
    }
    osProfile: {
      computerName: 'vm-${name}'
      adminUsername: adminUsername
      customData: base64(userData)
      linuxConfiguration: {
        disablePasswordAuthentication: true
        ssh: {
          publicKeys: [
            {
              path: '/home/${adminUsername}/.ssh/authorized_keys'
              keyData: adminPublicKey
            }
          ]
        }
      }
    }
    networkProfile: {
      networkInterfaces: [
        {
          id: nic.id
        }
      ]
    }
    diagnosticsProfile: {
      bootDiagnostics: {
        enabled: true
      }
    }
  }
}

resource routeServerAddress 'Microsoft.Network/publicIPAddresses@2023-09-01' = {
  name: 'pip-rs-${name}'
  location: location
  sku: {
    name: 'Standard'
  }
  properties: {
    publicIPAllocationMethod: 'Static'
  }
}

resource routeServer 'Microsoft.Network/virtualHubs@2023-09-01' = {
  name: 'rs-${name}'
  location: location
  properties: {
    sku: 'Standard'
    // Without it, NVA and gateway do not get each other's routes.
    allowBranchToBranchTraffic: true
  }
}

resource routeServerConfig 'Microsoft.Network/virtualHubs/ipConfigurations@2023-09-01' = {
  parent: routeServer
  name: 'ipconfig1'
  properties: {
    subnet: {
      id: vnet.properties.subnets[2].id
    }
    publicIPAddress: {
      id: routeServerAddress.id
    }
  }
}

// With this, the NVA reads what it needs and makes itself a BGP peer of Route Server.
resource operator 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(resourceGroup().id, vm.id, roleDefinitionId)
  properties: {
    roleDefinitionId: roleDefinitionId
    principalId: vm.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

output routeServerId string = routeServer.id
output packageFrom string = packageFrom[0]
