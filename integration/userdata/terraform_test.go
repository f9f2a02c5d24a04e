package userdata

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// blocks returns the blocks of a kind in the Terraform files of a directory.
func blocks(t *testing.T, dir, kind string) (out []*hclsyntax.Block) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	parser := hclparse.NewParser()
	for _, file := range files {
		f, diags := parser.ParseHCLFile(file)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		for _, b := range f.Body.(*hclsyntax.Body).Blocks {
			if b.Type == kind {
				out = append(out, b)
			}
		}
	}
	return out
}

// TestTerraformModule: the root passes the module exactly the variables that it declares.
func TestTerraformModule(t *testing.T) {
	root := configs(t, "azure/terraform")
	meta := []string{"source", "for_each"}
	var given, declared []string
	for name := range blocks(t, root, "module")[0].Body.Attributes {
		if !slices.Contains(meta, name) {
			given = append(given, name)
		}
	}
	for _, b := range blocks(t, filepath.Join(root, "hub"), "variable") {
		declared = append(declared, b.Labels[0])
	}
	slices.Sort(given)
	slices.Sort(declared)
	if !slices.Equal(given, declared) {
		t.Errorf("the module is given %v, declares %v", given, declared)
	}
}

// TestTerraformUserData evaluates the module's locals as Terraform would for hub00. The result
// is the user-data that cloud-init gets.
func TestTerraformUserData(t *testing.T) {
	dir := configs(t, "azure/terraform/hub")
	vars := map[string]cty.Value{
		"prefix": cty.StringVal(hub00["vnet"]), "remote_nvas": cty.TupleVal([]cty.Value{cty.StringVal(hub00["remote_nvas"])}),
		"package_url": cty.StringVal(hub00["package_url"]), "package_sha256": cty.StringVal(hub00["package_sha256"]),
		"asn": cty.NumberIntVal(65001), "vni": cty.NumberIntVal(77), "nva_key": cty.StringVal("0123456789abcdef"),
	}
	ctx := &hcl.EvalContext{
		Variables: map[string]cty.Value{
			"var": cty.ObjectVal(vars), "path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(dir)}),
		},
		Functions: map[string]function.Function{
			"join": stdlib.JoinFunc, "cidrsubnet": cidrSubnet, "cidrhost": cidrHost, "templatefile": templateFile, "base64encode": base64Encode,
		},
	}
	locals := map[string]cty.Value{}
	for _, name := range []string{"route_servers", "user_data"} {
		ctx.Variables["local"] = cty.ObjectVal(locals)
		value, diags := local(t, dir, name).Expr.Value(ctx)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		locals[name] = value
	}
	want := fill(t, read(t, configs(t, "cloud-init/bootstrap.yaml")), hub00)
	if got := locals["user_data"].AsString(); got != want {
		t.Errorf("Terraform makes\n%s\nwant\n%s", got, want)
	}
}

// TestTerraformResources: everything that an NVA needs is there.
func TestTerraformResources(t *testing.T) {
	dir := configs(t, "azure/terraform/hub")
	found := map[string]*hclsyntax.Block{}
	for _, b := range blocks(t, dir, "resource") {
		found[b.Labels[0]+"."+b.Labels[1]] = b
	}
	for name, attribute := range map[string]string{
		"azurerm_network_interface.nva":           "ip_forwarding_enabled",
		"azurerm_linux_virtual_machine.nva":       "custom_data",
		"azurerm_route_server.this":               "branch_to_branch_traffic_enabled",
		"azurerm_route_server_bgp_connection.nva": "peer_asn",
		"azurerm_route_table.nva":                 "count",
	} {
		b := found[name]
		if b == nil || b.Body.Attributes[attribute] == nil {
			t.Errorf("no %s of %s", attribute, name)
		}
	}
}

func local(t *testing.T, dir, name string) *hclsyntax.Attribute {
	t.Helper()
	for _, b := range blocks(t, dir, "locals") {
		if a := b.Body.Attributes[name]; a != nil {
			return a
		}
	}
	t.Fatalf("no local %s", name)
	return nil
}

func textFunction(params []function.Parameter, impl func([]cty.Value) (string, error)) function.Function {
	return function.New(&function.Spec{
		Params: params, Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			text, err := impl(args)
			return cty.StringVal(text), err
		},
	})
}

// These functions replace Terraform's, for /16 prefixes and whole octets.
var (
	cidrSubnet = textFunction([]function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "newbits", Type: cty.Number}, {Name: "netnum", Type: cty.Number}},
		func(args []cty.Value) (string, error) {
			p, err := netip.ParsePrefix(args[0].AsString())
			bits, _ := args[1].AsBigFloat().Int64()
			net, _ := args[2].AsBigFloat().Int64()
			if err != nil || p.Bits() != 16 || bits != 8 {
				return "", fmt.Errorf("not a /24 of a /16: %v", err)
			}
			a := p.Addr().As4()
			return fmt.Sprintf("%d.%d.%d.0/24", a[0], a[1], net), nil
		})
	cidrHost = textFunction([]function.Parameter{{Name: "prefix", Type: cty.String}, {Name: "hostnum", Type: cty.Number}},
		func(args []cty.Value) (string, error) {
			p, err := netip.ParsePrefix(args[0].AsString())
			if err != nil {
				return "", err
			}
			host, _ := args[1].AsBigFloat().Int64()
			a := p.Addr().As4()
			a[3] += byte(host)
			return netip.AddrFrom4(a).String(), nil
		})
	base64Encode = textFunction([]function.Parameter{{Name: "str", Type: cty.String}},
		func(args []cty.Value) (string, error) {
			return base64.StdEncoding.EncodeToString([]byte(args[0].AsString())), nil
		})
	templateFile = textFunction([]function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		func(args []cty.Value) (string, error) {
			data, err := os.ReadFile(args[0].AsString())
			if err != nil {
				return "", err
			}
			expr, diags := hclsyntax.ParseTemplate(data, args[0].AsString(), hcl.InitialPos)
			if diags.HasErrors() {
				return "", diags
			}
			value, diags := expr.Value(&hcl.EvalContext{Variables: args[1].AsValueMap()})
			if diags.HasErrors() {
				return "", diags
			}
			return value.AsString(), nil
		})
)
