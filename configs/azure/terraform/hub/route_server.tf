# The Route Server and its peer.

locals {
  # The instances have the first two addresses that Azure does not reserve.
  route_servers = [for i in [4, 5] : cidrhost(cidrsubnet(var.prefix, 8, 210), i)]
}

resource "azurerm_public_ip" "route_server" {
  name                = "pip-rs-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
}

resource "azurerm_route_server" "this" {
  name                 = "rs-${var.name}"
  resource_group_name  = var.resource_group_name
  location             = var.location
  sku                  = "Standard"
  subnet_id            = azurerm_subnet.route_server.id
  public_ip_address_id = azurerm_public_ip.route_server.id
  # Without it, NVA and gateway do not get each other's routes.
  branch_to_branch_traffic_enabled = true
}

# A Route Server refuses a second change while one is in progress. The provider creates
# its peers one after the other; with another tool, see @batchSize(1) in ../../bicep.
resource "azurerm_route_server_bgp_connection" "nva" {
  for_each = { "vm-${var.name}" = azurerm_network_interface.nva.private_ip_address }

  name            = each.key
  route_server_id = azurerm_route_server.this.id
  peer_asn        = var.asn
  peer_ip         = each.value
}
