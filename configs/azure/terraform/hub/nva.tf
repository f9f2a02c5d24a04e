# The VM that cloud-init turns into a routing NVA.

locals {
  user_data = templatefile("${path.module}/../../../cloud-init/bootstrap.yaml", {
    package_url    = var.package_url
    package_sha256 = var.package_sha256
    route_servers  = join(",", local.route_servers)
    remote_nvas    = join(",", var.remote_nvas)
    vnet           = var.prefix
    asn            = var.asn
    vni            = var.vni
    nva_key        = base64encode(var.nva_key)
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

resource "azurerm_linux_virtual_machine" "nva" {
  name                  = "vm-${var.name}"
  resource_group_name   = var.resource_group_name
  location              = var.location
  size                  = var.vm_size
  admin_username        = var.admin_username
  network_interface_ids = [azurerm_network_interface.nva.id]
  custom_data           = base64encode(local.user_data)

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
}
