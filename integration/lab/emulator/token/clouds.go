package token

import "strings"

// Cloud has the names of one of Azure's clouds.
type Cloud struct {
	Name     string // as the metadata service gives it
	Host     string // of Resource Manager
	Login    string // host of the login service
	Audience string // of tokens for Resource Manager
}

// Clouds are Azure's clouds, the public one first.
var Clouds = []Cloud{
	{"AzurePublicCloud", "management.azure.com", "login.microsoftonline.com", "https://management.core.windows.net/"},
	{"AzureUSGovernmentCloud", "management.usgovcloudapi.net", "login.microsoftonline.us", "https://management.core.usgovcloudapi.net/"},
	{"AzureChinaCloud", "management.chinacloudapi.cn", "login.chinacloudapi.cn", "https://management.core.chinacloudapi.cn/"},
}

// Find returns the cloud of that name, or the public one if name is empty.
func Find(name string) (Cloud, bool) {
	if name == "" {
		return Clouds[0], true
	}
	for _, c := range Clouds {
		if strings.EqualFold(c.Name, name) {
			return c, true
		}
	}
	return Cloud{}, false
}

// Manages reports whether audience is the cloud's Resource Manager.
func (c Cloud) Manages(audience string) bool {
	audience = strings.TrimSuffix(audience, "/")
	return audience == strings.TrimSuffix(c.Audience, "/") || audience == "https://"+c.Host
}
