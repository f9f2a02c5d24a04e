# The VM that cloud-init turns into a routing NVA.

locals {
  # NVAs find each other by this tag.
  tag = { nvad = var.resource_group_name }

  user_data = templatefile("${path.module}/../../../cloud-init/bootstrap.yaml", {
    package_url     = var.package_url
    package_sha256  = var.package_sha256
    repository_url  = var.repository_url
    repository_key  = var.repository_key
    package_version = var.package_version
    nva_tag         = "nvad=${local.tag.nvad}"
    nvas            = var.nvas
    nva_key         = base64encode(var.nva_key)
    nva_tunnel      = var.wireguard ? "wireguard" : "vxlan"
  })
}

resource "azurerm_network_interface" "nva" {
  name                  = "nic-${var.name}"
  resource_group_name   = var.resource_group_name
  location              = var.location
  ip_forwarding_enabled = true

  ip_configuration {
    name                          = "ipconfig1"
    subnet_id                     = azurerm_subnet.default.id
    private_ip_address_allocation = "Static"
    private_ip_address            = var.nva
  }
}

# Route Server takes up to half an hour to create, so the VM waits for it here rather than
# in cloud-init.
resource "azurerm_linux_virtual_machine" "nva" {
  name                  = "vm-${var.name}"
  resource_group_name   = var.resource_group_name
  location              = var.location
  size                  = var.vm_size
  admin_username        = var.admin_username
  network_interface_ids = [azurerm_network_interface.nva.id]
  custom_data           = base64encode(local.user_data)
  tags                  = merge(var.nva_tags, local.tag)

  identity {
    type = "SystemAssigned"
  }

  admin_ssh_key {
    username   = var.admin_username
    public_key = var.admin_public_key
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "Premium_LRS"
  }

  source_image_reference {
    publisher = "Canonical"
    offer     = "ubuntu-24_04-lts"
    sku       = "server"
    version   = var.image_version
  }

  boot_diagnostics {}

  # Without the NAT gateway, the first boot would have no way out.
  depends_on = [azurerm_route_server.this, azurerm_nat_gateway_public_ip_association.outbound, azurerm_subnet_nat_gateway_association.default]
}

# With this, the NVA reads what it needs and makes itself a BGP peer of Route Server.
resource "azurerm_role_assignment" "nva" {
  scope              = var.resource_group_id
  role_definition_id = var.role_definition_id
  principal_id       = azurerm_linux_virtual_machine.nva.identity[0].principal_id
}
