// Package azure tests what nvactl finds out from Azure: every reason known for which Azure
// silently does not do what an NVA asks, alone and in pairs, in a model of Azure behind a fake
// Resource Manager; and once in the lab.
package azure
