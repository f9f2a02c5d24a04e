package userdata

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
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
		"package_url": cty.StringVal(hub00["package_url"]), "package_sha256": cty.StringVal(hub00["package_sha256"]),
		"repository_url": cty.StringVal(""), "repository_key": cty.StringVal(""), "package_version": cty.StringVal(""),
		"resource_group_name": cty.StringVal("rg-nva"), "nvas": cty.NumberIntVal(2), "nva_key": cty.StringVal("0123456789abcdef"), "wireguard": cty.False,
	}
	ctx := &hcl.EvalContext{
		Variables: map[string]cty.Value{
			"var": cty.ObjectVal(vars), "path": cty.ObjectVal(map[string]cty.Value{"module": cty.StringVal(dir)}),
		},
		Functions: map[string]function.Function{
			"templatefile": templateFile, "base64encode": base64Encode,
		},
	}
	locals := map[string]cty.Value{}
	for _, name := range []string{"tag", "user_data"} {
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

// TestTerraformResources: everything that an NVA needs is there, and nothing that it does
// itself.
func TestTerraformResources(t *testing.T) {
	dir := configs(t, "azure/terraform/hub")
	found := map[string]*hclsyntax.Block{}
	for _, b := range blocks(t, dir, "resource") {
		found[b.Labels[0]+"."+b.Labels[1]] = b
	}
	for name, attribute := range map[string]string{
		"azurerm_network_interface.nva":                             "ip_forwarding_enabled",
		"azurerm_linux_virtual_machine.nva":                         "custom_data",
		"azurerm_route_server.this":                                 "branch_to_branch_traffic_enabled",
		"azurerm_role_assignment.nva":                               "principal_id",
		"azurerm_subnet_nat_gateway_association.default":            "nat_gateway_id",
		"azurerm_nat_gateway_public_ip_association.outbound":        "public_ip_address_id",
		"azurerm_subnet_network_security_group_association.default": "subnet_id",
		"azurerm_route_table.nva":                                   "count",
	} {
		b := found[name]
		if b == nil || b.Body.Attributes[attribute] == nil {
			t.Errorf("no %s of %s", attribute, name)
		}
	}
	vm := found["azurerm_linux_virtual_machine.nva"].Body
	if !slices.ContainsFunc(vm.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "identity" }) || vm.Attributes["tags"] == nil || vm.Attributes["depends_on"] == nil {
		t.Error("the VM has no identity, no tags, or does not wait for what it needs")
	}
	if found["azurerm_route_server_bgp_connection.nva"] != nil {
		t.Error("the NVA's peer is registered twice")
	}
}

// TestTerraformRole: the custom role is role-operator.json, and is assigned to the resource
// group only.
func TestTerraformRole(t *testing.T) {
	root := configs(t, "azure/terraform")
	text := read(t, filepath.Join(root, "main.tf"))
	for _, want := range []string{
		`role = jsondecode(file("${path.module}/../role-operator.json"))`, "actions     = local.role.Actions", "not_actions = local.role.NotActions",
		"assignable_scopes = [azurerm_resource_group.this.id]", "resource_group_id   = azurerm_resource_group.this.id",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("main.tf has no %q", want)
		}
	}
	if nva := read(t, filepath.Join(root, "hub/nva.tf")); !strings.Contains(nva, "scope              = var.resource_group_id\n") {
		t.Error("the role is assigned elsewhere")
	}
	var role struct {
		Name, Description   string
		Actions, NotActions []string
	}
	if err := json.Unmarshal([]byte(read(t, configs(t, "azure/role-operator.json"))), &role); err != nil || role.Name == "" || role.Description == "" || len(role.Actions) == 0 || role.NotActions == nil {
		t.Errorf("role-operator.json: %v, %+v", err, role)
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

// These functions replace Terraform's.
var (
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
