variable "resource_group_name" {
  description = "Resource group, which is made."
  type        = string
}

variable "location" {
  description = "Region of all hubs."
  type        = string
}

variable "hubs" {
  description = "The hubs: a name and a /16 each. The NVA is .0.4, Route Server .210.4 and .210.5, and .200.0/24 is left to a gateway."
  type        = map(string)
  default = {
    hub00 = "10.0.0.0/16"
    hub10 = "10.10.0.0/16"
  }
}

variable "package_url" {
  description = "Where the VMs get nvad's package from. Empty if the image has it."
  type        = string
  default     = ""
}

variable "package_sha256" {
  description = "SHA-256 of the package."
  type        = string
  default     = ""
}

variable "asn" {
  description = "AS number of the NVAs."
  type        = number
  default     = 65001
}

variable "vni" {
  description = "VXLAN network identifier of the tunnel between the NVAs."
  type        = number
  default     = 77
}

variable "forwarded_prefixes" {
  description = "What passes through the NVAs, by source and destination."
  type        = list(string)
  default     = ["10.0.0.0/8"]
}

variable "announces_default" {
  description = "Whether the NVAs announce a default route. Their own subnet is then kept from following it."
  type        = bool
  default     = false
}

variable "admin_username" {
  description = "User of the VMs."
  type        = string
  default     = "azureuser"
}

variable "admin_public_key" {
  description = "SSH public key of that user."
  type        = string
}

variable "vm_size" {
  description = "Size of the VMs."
  type        = string
  default     = "Standard_B2ats_v2"
}
