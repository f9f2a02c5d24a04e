# The Route Server. The NVA makes itself a peer of it.

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
