// Two or more hubs, each with a Route Server and an NVA, connected by VXLAN.
//
//   az deployment group create -g RESOURCE-GROUP -f main.bicep \
//     -p adminPublicKey="$(cat ~/.ssh/id_ed25519.pub)" packageUrl=URL packageSha256=SUM \
//        imageVersion=VERSION nvaKey=KEY

@description('Region of all hubs.')
param location string = resourceGroup().location

@description('The hubs: a name and a /16 each. The NVA is .0.4, Route Server is in .210.0/24, and .200.0/24 is reserved for a gateway.')
param hubs array = [
  { name: 'hub00', prefix: '10.0.0.0/16' }
  { name: 'hub10', prefix: '10.10.0.0/16' }
]

// The package comes from a URL (the next two) or from an apt repository (the three below).
@description('URL from which the VMs download nvad\'s package.')
param packageUrl string = ''

@description('SHA-256 of the package at packageUrl, 64 hexadecimal digits. A VM installs nothing else.')
@maxLength(64)
param packageSha256 string = ''

@description('URL of an apt repository with nvad\'s package.')
param repositoryUrl string = ''

@description('Public key of the repository: base64 -w0 nvad.gpg. A VM installs nothing that another key has signed.')
param repositoryKey string = ''

@description('Version of the package in the repository.')
param packageVersion string = ''

// The minimum length excludes "latest": NVAs created on different days would differ.
@description('Version of Canonical\'s image ubuntu-24_04-lts, server, such as 24.04.YYYYMMDD0. `az vm image list --all -p Canonical -f ubuntu-24_04-lts -s server` lists them.')
@minLength(10)
param imageVersion string

@description('Tags of the NVAs. "nvad-asn" is their AS number if it is not 65001, "nvad-vni" the VXLAN network identifier if it is not 77.')
param nvaTags object = {}

@description('TCP-MD5 key of the sessions between the NVAs: openssl rand -hex 20.')
@secure()
@minLength(16)
@maxLength(80)
param nvaKey string

@description('Prefixes whose traffic passes through the NVAs, besides the hubs\' own: spokes, on-premises.')
param forwardedPrefixes array = []

@description('Whether the tunnels between the NVAs are encrypted, by WireGuard. Their public keys are in tags of the VMs: whoever may write those may join.')
param wireguard bool = false

@description('Prefixes from which the NVAs accept SSH.')
param managementPrefixes array = []

@description('Whether the NVAs announce a default route. If so, their own subnet gets a user-defined default route.')
param announcesDefault bool = false

@description('User of the VMs.')
param adminUsername string = 'azureuser'

@description('SSH public key of that user.')
param adminPublicKey string

@description('Size of the VMs.')
param vmSize string = 'Standard_B2ats_v2'

// The ways to the package that are complete while the other is empty. The hubs require one.
var packageFrom = concat(
  !empty(packageUrl) && length(packageSha256) == 64 && empty('${repositoryUrl}${repositoryKey}${packageVersion}') ? ['url'] : [],
  !empty(repositoryUrl) && !empty(repositoryKey) && !empty(packageVersion) && empty('${packageUrl}${packageSha256}') ? ['repository'] : []
)

// The NVA of every hub has the fourth address of the first subnet.
var nvas = map(hubs, h => cidrHost(cidrSubnet(h.prefix, 24, 0), 3))

// What an NVA may do. It is assigned to this resource group only.
var role = loadJsonContent('../role-operator.json')

resource operator 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(resourceGroup().id, role.Name)
  properties: {
    roleName: '${role.Name} ${uniqueString(resourceGroup().id)}'
    description: role.Description
    type: 'CustomRole'
    permissions: [
      {
        actions: role.Actions
        notActions: role.NotActions
      }
    ]
    assignableScopes: [resourceGroup().id]
  }
}

module hub 'hub.bicep' = [for (h, i) in hubs: {
  name: 'hub-${h.name}'
  params: {
    location: location
    name: h.name
    prefix: h.prefix
    nva: nvas[i]
    remoteNvas: filter(nvas, n => n != nvas[i])
    packageUrl: packageUrl
    packageSha256: packageSha256
    repositoryUrl: repositoryUrl
    repositoryKey: repositoryKey
    packageVersion: packageVersion
    packageFrom: packageFrom
    imageVersion: imageVersion
    nvas: length(hubs)
    nvaTags: nvaTags
    roleDefinitionId: operator.id
    nvaKey: nvaKey
    wireguard: wireguard
    forwardedPrefixes: concat(map(hubs, p => p.prefix), forwardedPrefixes)
    managementPrefixes: managementPrefixes
    announcesDefault: announcesDefault
    adminUsername: adminUsername
    adminPublicKey: adminPublicKey
    vmSize: vmSize
  }
}]

var pairs = flatten(map(hubs, a => map(filter(hubs, b => b.name != a.name), b => { from: a.name, to: b.name })))

// One at a time: a VNet accepts only one change at a time.
@batchSize(1)
module peering 'peering.bicep' = [for p in pairs: {
  name: 'peering-${p.from}-${p.to}'
  params: {
    from: 'vnet-${p.from}'
    to: 'vnet-${p.to}'
  }
  dependsOn: [hub]
}]
