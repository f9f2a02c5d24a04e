// Package userdata holds the tests of configs/cloud-init and configs/azure: that
// cloud-init's schema takes the user-data, that none of the traps known from Azure
// is in it, and that Bicep and Terraform make the same of it. That it works is
// tested by booting with it, in package boot.
package userdata
