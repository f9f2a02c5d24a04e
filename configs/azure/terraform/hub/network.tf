# The VNet of a hub and its NSG.

resource "azurerm_virtual_network" "this" {
  name                = "vnet-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  address_space       = [var.prefix]
}

resource "azurerm_subnet" "default" {
  name                 = "default"
  resource_group_name  = var.resource_group_name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(var.prefix, 8, 0)]
  # For downloads from a storage account without a detour over the internet.
  service_endpoints = ["Microsoft.Storage"]
}

# The NVA's way out, to Azure Resource Manager: new subnets have none.
resource "azurerm_public_ip" "outbound" {
  name                = "pip-nat-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  allocation_method   = "Static"
  sku                 = "Standard"
}

resource "azurerm_nat_gateway" "outbound" {
  name                = "nat-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location
  sku_name            = "Standard"
}

resource "azurerm_nat_gateway_public_ip_association" "outbound" {
  nat_gateway_id       = azurerm_nat_gateway.outbound.id
  public_ip_address_id = azurerm_public_ip.outbound.id
}

resource "azurerm_subnet_nat_gateway_association" "default" {
  subnet_id      = azurerm_subnet.default.id
  nat_gateway_id = azurerm_nat_gateway.outbound.id
}

resource "azurerm_subnet" "gateway" {
  name                 = "GatewaySubnet"
  resource_group_name  = var.resource_group_name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(var.prefix, 8, 200)]
}

resource "azurerm_subnet" "route_server" {
  name                 = "RouteServerSubnet"
  resource_group_name  = var.resource_group_name
  virtual_network_name = azurerm_virtual_network.this.name
  address_prefixes     = [cidrsubnet(var.prefix, 8, 210)]
}

resource "azurerm_network_security_group" "nva" {
  name                = "nsg-${var.name}"
  resource_group_name = var.resource_group_name
  location            = var.location

  security_rule {
    name                       = "vxlan"
    priority                   = 100
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Udp"
    source_address_prefixes    = var.remote_nvas
    source_port_range          = "*"
    destination_address_prefix = var.nva
    destination_port_range     = "4789"
  }

  security_rule {
    name                       = "route-server"
    priority                   = 110
    direction                  = "Inbound"
    access                     = "Allow"
    protocol                   = "Tcp"
    source_address_prefix      = cidrsubnet(var.prefix, 8, 210)
    source_port_range          = "*"
    destination_address_prefix = var.nva
    destination_port_range     = "179"
  }

  # bootstrap derives the port of each tunnel from the keys of its ends.
  dynamic "security_rule" {
    for_each = var.wireguard ? [1] : []

    content {
      name                       = "wireguard"
      priority                   = 105
      direction                  = "Inbound"
      access                     = "Allow"
      protocol                   = "Udp"
      source_address_prefixes    = var.remote_nvas
      source_port_range          = "*"
      destination_address_prefix = var.nva
      destination_port_range     = "51820-59883"
    }
  }

  dynamic "security_rule" {
    for_each = length(var.management_prefixes) > 0 ? [1] : []

    content {
      name                       = "management"
      priority                   = 120
      direction                  = "Inbound"
      access                     = "Allow"
      protocol                   = "Tcp"
      source_address_prefixes    = var.management_prefixes
      source_port_range          = "*"
      destination_address_prefix = var.nva
      destination_port_range     = "22"
    }
  }

  # Nobody else can join the tunnel, and forwarded prefixes do not open the NVA itself.
  security_rule {
    name                       = "deny-nva"
    priority                   = 190
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = var.nva
    destination_port_range     = "*"
  }

  security_rule {
    name                         = "forwarded-in"
    priority                     = 200
    direction                    = "Inbound"
    access                       = "Allow"
    protocol                     = "*"
    source_address_prefixes      = var.forwarded_prefixes
    source_port_range            = "*"
    destination_address_prefixes = var.forwarded_prefixes
    destination_port_range       = "*"
  }

  # Azure's default rules would permit the whole VNet and everything peered with it.
  security_rule {
    name                       = "deny-in"
    priority                   = 4096
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }

  security_rule {
    name                       = "own-out"
    priority                   = 190
    direction                  = "Outbound"
    access                     = "Allow"
    protocol                   = "*"
    source_address_prefix      = var.nva
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }

  security_rule {
    name                         = "forwarded-out"
    priority                     = 200
    direction                    = "Outbound"
    access                       = "Allow"
    protocol                     = "*"
    source_address_prefixes      = var.forwarded_prefixes
    source_port_range            = "*"
    destination_address_prefixes = var.forwarded_prefixes
    destination_port_range       = "*"
  }

  security_rule {
    name                       = "deny-out"
    priority                   = 4096
    direction                  = "Outbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "default" {
  subnet_id                 = azurerm_subnet.default.id
  network_security_group_id = azurerm_network_security_group.nva.id
}

# Route Server also programs routes from the NVA on the NVA's own NIC; a default route
# would return its packets to itself.
resource "azurerm_route_table" "nva" {
  count = var.announces_default ? 1 : 0

  name                = "rt-${var.name}-nva"
  resource_group_name = var.resource_group_name
  location            = var.location

  route {
    name           = "internet"
    address_prefix = "0.0.0.0/0"
    next_hop_type  = "Internet"
  }
}

resource "azurerm_subnet_route_table_association" "default" {
  count = var.announces_default ? 1 : 0

  subnet_id      = azurerm_subnet.default.id
  route_table_id = azurerm_route_table.nva[0].id
}
