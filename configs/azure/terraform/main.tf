# Two or more hubs, each with a Route Server and an NVA, connected by VXLAN.

terraform {
  required_version = ">= 1.5"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.0"
    }
  }
}

provider "azurerm" {
  features {}
}

locals {
  # The two ways to the package, of which one must be complete and the other empty.
  from_url        = [var.package_url, var.package_sha256]
  from_repository = [var.repository_url, var.repository_key, var.package_version]

  # The NVA of every hub has the fourth address of the first subnet.
  nvas = { for name, prefix in var.hubs : name => cidrhost(cidrsubnet(prefix, 8, 0), 4) }

  # What an NVA may do. It is assigned to this resource group only.
  role = jsondecode(file("${path.module}/../role-operator.json"))

  pairs = {
    for p in setproduct(keys(var.hubs), keys(var.hubs)) : "${p[0]}-${p[1]}" => { from = p[0], to = p[1] } if p[0] != p[1]
  }
}

resource "azurerm_resource_group" "this" {
  name     = var.resource_group_name
  location = var.location

  lifecycle {
    precondition {
      condition = (alltrue([for v in local.from_url : v != ""]) && alltrue([for v in local.from_repository : v == ""])
      || alltrue([for v in local.from_url : v == ""]) && alltrue([for v in local.from_repository : v != ""]))
      error_message = "Set package_url and package_sha256, or repository_url, repository_key and package_version."
    }
  }
}

resource "azurerm_role_definition" "operator" {
  name              = "${local.role.Name} ${azurerm_resource_group.this.name}"
  description       = local.role.Description
  scope             = azurerm_resource_group.this.id
  assignable_scopes = [azurerm_resource_group.this.id]

  permissions {
    actions     = local.role.Actions
    not_actions = local.role.NotActions
  }
}

module "hub" {
  source   = "./hub"
  for_each = var.hubs

  name                = each.key
  prefix              = each.value
  nva                 = local.nvas[each.key]
  remote_nvas         = [for name, address in local.nvas : address if name != each.key]
  resource_group_name = azurerm_resource_group.this.name
  resource_group_id   = azurerm_resource_group.this.id
  location            = azurerm_resource_group.this.location
  package_url         = var.package_url
  package_sha256      = var.package_sha256
  repository_url      = var.repository_url
  repository_key      = var.repository_key
  package_version     = var.package_version
  image_version       = var.image_version
  nvas                = length(var.hubs)
  nva_tags            = var.nva_tags
  role_definition_id  = azurerm_role_definition.operator.role_definition_resource_id
  nva_key             = var.nva_key
  wireguard           = var.wireguard
  forwarded_prefixes  = concat(values(var.hubs), var.forwarded_prefixes)
  management_prefixes = var.management_prefixes
  announces_default   = var.announces_default
  admin_username      = var.admin_username
  admin_public_key    = var.admin_public_key
  vm_size             = var.vm_size
}

# The outer packets have the addresses of the NVAs, so the peering forwards nothing.
resource "azurerm_virtual_network_peering" "this" {
  for_each = local.pairs

  name                         = "to-vnet-${each.value.to}"
  resource_group_name          = azurerm_resource_group.this.name
  virtual_network_name         = module.hub[each.value.from].vnet_name
  remote_virtual_network_id    = module.hub[each.value.to].vnet_id
  allow_virtual_network_access = true
  allow_forwarded_traffic      = false
}
