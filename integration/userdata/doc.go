// Package userdata tests configs/cloud-init and configs/azure: cloud-init's schema accepts the
// user-data, it contains none of the traps known from Azure, and Bicep and Terraform produce
// the same text from it. Package boot tests that it works, by booting with it.
package userdata
