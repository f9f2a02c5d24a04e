variable "resource_group_name" {
  description = "Resource group to create."
  type        = string
}

variable "location" {
  description = "Region of all hubs."
  type        = string
}

variable "hubs" {
  description = "The hubs: a name and a /16 each. The NVA is .0.4, Route Server is in .210.0/24, and .200.0/24 is reserved for a gateway."
  type        = map(string)
  default = {
    hub00 = "10.0.0.0/16"
    hub10 = "10.10.0.0/16"
  }
}

# The package comes from a URL (the next two) or from an apt repository (the three below).
variable "package_url" {
  description = "URL from which the VMs download nvad's package."
  type        = string
  default     = ""

  validation {
    condition     = length(regexall("^(https://.+)?$", var.package_url)) == 1
    error_message = "package_url must begin with https://."
  }
}

variable "package_sha256" {
  description = "SHA-256 of the package at package_url. A VM installs nothing else."
  type        = string
  default     = ""

  validation {
    condition     = length(regexall("^([0-9a-fA-F]{64})?$", var.package_sha256)) == 1
    error_message = "package_sha256 must have 64 hexadecimal digits, as sha256sum prints them."
  }
}

variable "repository_url" {
  description = "URL of an apt repository with nvad's package."
  type        = string
  default     = ""

  validation {
    condition     = length(regexall("^(https://.+)?$", var.repository_url)) == 1
    error_message = "repository_url must begin with https://."
  }
}

variable "repository_key" {
  description = "Public key of the repository: base64 -w0 nvad.gpg. A VM installs nothing that another key has signed."
  type        = string
  default     = ""

  validation {
    condition     = length(regexall("^([0-9a-zA-Z+/]{100,}={0,2})?$", var.repository_key)) == 1
    error_message = "repository_key must be the file nvad.gpg as base64 on one line."
  }
}

variable "package_version" {
  description = "Version of the package in the repository."
  type        = string
  default     = ""

  validation {
    condition     = length(regexall("^([0-9][0-9a-zA-Z.+~]*)?$", var.package_version)) == 1
    error_message = "package_version must be a version such as 0.1.0. With the newest, two NVAs made on different days would differ."
  }
}

variable "image_version" {
  description = "Version of Canonical's image ubuntu-24_04-lts, server. `az vm image list --all -p Canonical -f ubuntu-24_04-lts -s server` lists them."
  type        = string

  validation {
    condition     = length(regexall("^[0-9]+[.][0-9]+[.][0-9]+$", var.image_version)) == 1
    error_message = "image_version must be a version such as 24.04.YYYYMMDD0. With \"latest\" two NVAs made on different days would differ."
  }
}

variable "nva_tags" {
  description = "Tags of the NVAs. \"nvad-asn\" is their AS number if it is not 65001, \"nvad-vni\" the VXLAN network identifier if it is not 77."
  type        = map(string)
  default     = {}
}

variable "forwarded_prefixes" {
  description = "Prefixes whose traffic passes through the NVAs, besides the hubs' own: spokes, on-premises."
  type        = list(string)
  default     = []
}

variable "nva_key" {
  description = "TCP-MD5 key of the sessions between the NVAs: openssl rand -hex 20."
  type        = string
  sensitive   = true

  validation {
    condition     = length(var.nva_key) >= 16 && length(var.nva_key) <= 80
    error_message = "The key has 16 to 80 characters."
  }
}

variable "wireguard" {
  description = "Whether the tunnels between the NVAs are encrypted, by WireGuard. Their public keys are in tags of the VMs: whoever may write those may join."
  type        = bool
  default     = false
}

variable "management_prefixes" {
  description = "Prefixes from which the NVAs accept SSH."
  type        = list(string)
  default     = []
}

variable "announces_default" {
  description = "Whether the NVAs announce a default route. If so, their own subnet gets a user-defined default route."
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
