package arm

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// The kinds of identities, in the order in which they are tried.
const (
	workload = "workload"
	managed  = "managed"
	cli      = "cli"
)

// probeTimeout bounds the wait for the first token if it is not known whether there is
// such an identity: the metadata service answers within a second, or never outside Azure.
const probeTimeout = 5 * time.Second

// spare is how long before its end a token is not used any more.
const spare = 5 * time.Minute

// identity is a credential with its last token, which all clients share: the Azure CLI
// would be started for each of them.
type identity struct {
	name  string // for messages
	cred  azcore.TokenCredential
	scope string
	token azcore.AccessToken
}

// GetToken returns the last token while it lasts.
func (i *identity) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if o.Claims == "" && len(o.Scopes) == 1 && o.Scopes[0] == i.scope && time.Until(i.token.ExpiresOn) > spare {
		return i.token, nil
	}
	token, err := i.ask(ctx, o)
	if err == nil && len(o.Scopes) == 1 {
		i.token, i.scope = token, o.Scopes[0]
	}
	return token, err
}

// ask asks for a new token. Azure's library panics over an answer that is null, and passes on
// whatever it is given as a token.
func (i *identity) ask(ctx context.Context, o policy.TokenRequestOptions) (token azcore.AccessToken, err error) {
	defer func() {
		if recover() != nil {
			err = refuse("the answer to a question for a token is not as documented")
		}
	}()
	token, err = i.cred.GetToken(ctx, o)
	if err == nil && (token.Token == "" || strings.ContainsFunc(token.Token, func(r rune) bool { return r <= ' ' || r > '~' })) {
		err = refuse("the answer to a question for a token has none, or one that can't be sent")
	}
	return token, err
}

// findIdentity returns the identity that was asked for, or the first that there is, with
// a token.
func (c *Client) findIdentity(ctx context.Context, o Options, client policy.ClientOptions) (*identity, error) {
	makers := map[string]func() (*identity, error){
		workload: func() (*identity, error) { return workloadIdentity(client) },
		managed:  func() (*identity, error) { return managedIdentity(client, o.ClientID) },
		cli:      cliIdentity,
	}
	order := []string{workload, managed, cli}
	if o.Identity != "" {
		if makers[o.Identity] == nil {
			return nil, fmt.Errorf("identity %q: want managed, workload or cli", o.Identity)
		}
		order = []string{o.Identity}
	}
	none := &NoIdentityError{cloud: c.cloud.name}
	for _, kind := range order {
		i, err := makers[kind]()
		if err == nil {
			c.begin("a token of " + i.name)
			err = c.probe(ctx, i, len(order) > 1 && kind == managed)
		}
		if err == nil {
			return i, nil
		}
		if ctx.Err() != nil {
			return nil, c.explain(ctx.Err())
		}
		none.add(kind, err)
	}
	if in, err := c.machine(ctx); err == nil && !strings.EqualFold(in.Environment, c.cloud.name) {
		none.elsewhere = in.Environment
	}
	return nil, none
}

// probe asks for the first token.
func (c *Client) probe(ctx context.Context, i *identity, short bool) error {
	if short {
		var cancel func()
		ctx, cancel = context.WithTimeout(ctx, probeTimeout)
		defer cancel()
	}
	scope := c.cloud.Services[cloud.ResourceManager].Audience + "/.default"
	_, err := i.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{scope}})
	return err
}

func managedIdentity(client policy.ClientOptions, clientID string) (*identity, error) {
	o := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: client}
	name := "the managed identity of this VM"
	if clientID != "" {
		o.ID = azidentity.ClientID(clientID)
		name = "the managed identity " + clientID
	}
	cred, err := azidentity.NewManagedIdentityCredential(o)
	return &identity{name: name, cred: cred}, err
}

// workloadIdentity is announced by environment variables, as in Kubernetes.
func workloadIdentity(client policy.ClientOptions) (*identity, error) {
	var missing []string
	for _, name := range []string{"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"} {
		if os.Getenv(name) == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("the environment lacks %s", strings.Join(missing, ", "))
	}
	cred, err := azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: client})
	return &identity{name: "the workload identity " + os.Getenv("AZURE_CLIENT_ID"), cred: cred}, err
}

func cliIdentity() (*identity, error) {
	if _, err := exec.LookPath("az"); err != nil {
		return nil, fmt.Errorf("there is no command az")
	}
	cred, err := azidentity.NewAzureCLICredential(nil)
	return &identity{name: "the login of the Azure CLI", cred: cred}, err
}
