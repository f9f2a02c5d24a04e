variable "name" { type = string }
variable "prefix" { type = string }
variable "nva" { type = string }
variable "remote_nvas" { type = list(string) }
variable "resource_group_name" { type = string }
variable "resource_group_id" { type = string }
variable "location" { type = string }
variable "package_url" { type = string }
variable "package_sha256" { type = string }
variable "repository_url" { type = string }
variable "repository_key" { type = string }
variable "package_version" { type = string }
variable "image_version" { type = string }
variable "nvas" { type = number }
variable "nva_tags" { type = map(string) }
variable "role_definition_id" { type = string }
variable "nva_key" {
  type      = string
  sensitive = true
}
variable "wireguard" { type = bool }
variable "management_prefixes" { type = list(string) }
variable "forwarded_prefixes" { type = list(string) }
variable "announces_default" { type = bool }
variable "admin_username" { type = string }
variable "admin_public_key" { type = string }
variable "vm_size" { type = string }
