package ctl

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
)

// azureClient asks Azure Resource Manager, and changes what nvactl changes there. Package arm has one.
type azureClient interface {
	Snapshot(context.Context, arm.Ask) (azure.Snapshot, error)
	Register(ctx context.Context, rs azure.RouteServer, name string, peer netip.Addr, asn uint32) (bool, error)
	ForwardAt(context.Context, azure.NIC) (bool, error)
	Tag(ctx context.Context, vm, name, value string) (id string, changed bool, err error)
	SetHop(ctx context.Context, table azure.RouteTable, route string, hop netip.Addr, present bool) (bool, error)
}

// newAzureClient makes the client of which Env has no other.
func newAzureClient(ctx context.Context, o arm.Options) (azureClient, error) { return arm.New(ctx, o) }

// azureAccess says whom nvactl asks in Azure, as whom, and for how long.
type azureAccess struct {
	identity, cloud choice
	clientID        string
	timeout         time.Duration
}

func (a *app) azureCommand() *cobra.Command {
	at := &azureAccess{
		identity: choice{allowed: []string{"managed", "workload", "cli"}},
		cloud:    choice{allowed: []string{"AzurePublicCloud", "AzureUSGovernmentCloud", "AzureChinaCloud"}},
	}
	cmd := group(&cobra.Command{
		Use:   "azure",
		Short: "Ask Azure what it does with the routes that nvad sent",
		Long: `Ask Azure Resource Manager about this NVA: its NICs, its Route Server, its VNets
and what decides about their routes. Only "register" and "tag" change anything
there.

nvactl needs an identity that may read. On a VM that is a managed identity, in a
pod a workload identity, elsewhere the login of the Azure CLI: the first that
there is, unless --identity chooses. docs/azure.md has the roles, and shows how
to give them to the VM.`,
	}, a.azureShowCommand(at), a.azureDiffCommand(at), a.azureVerifyCommand(at), a.azureSnapshotCommand(at), a.azureRegisterCommand(at),
		a.azureTagCommand(at), a.azurePollCommand(at))
	f := cmd.PersistentFlags()
	f.Var(&at.identity, "identity", "ask as `WHO`: managed, workload or cli")
	f.StringVar(&at.clientID, "client-id", "", "client `ID` of one of several managed identities")
	f.Var(&at.cloud, "cloud", "`NAME` of the cloud (default the one of this VM)")
	f.DurationVar(&at.timeout, "timeout", 2*time.Minute, "give up after this `TIME`")
	completeFixed(cmd, "identity", at.identity.allowed...)
	completeFixed(cmd, "cloud", at.cloud.allowed...)
	return cmd
}

// askAzure is reachAzure for a command with the flags of "nvactl azure".
func (a *app) askAzure(ctx context.Context, at *azureAccess, do func(context.Context, azureClient) error) error {
	return withFlag(a.reachAzure(ctx, at, do), at)
}

// reachAzure calls do with a client, and ends it after the timeout. Meanwhile a terminal
// shows what Azure is asked for.
func (a *app) reachAzure(ctx context.Context, at *azureAccess, do func(context.Context, azureClient) error) error {
	if at.timeout <= 0 {
		return fmt.Errorf("--timeout %s: want more than 0", at.timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, at.timeout)
	defer cancel()
	p := newProgress(a.Err, a.Width)
	client := a.azure
	if client == nil {
		client = newAzureClient
	}
	c, err := client(ctx, arm.Options{Cloud: at.cloud.value, Identity: at.identity.value, ClientID: at.clientID, Progress: p.show})
	if err == nil {
		err = do(ctx, c)
	}
	p.clear()
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("canceled")
	}
	return err
}

// withFlag adds to an error of package arm which flag would help.
func withFlag(err error, at *azureAccess) error {
	// Time may be over before the deadline, if Azure wants a pause beyond it.
	if _, late := errors.AsType[*arm.TimeoutError](err); late || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w (--timeout is %s)", err, at.timeout)
	}
	if _, elsewhere := errors.AsType[*arm.NotAzureError](err); elsewhere {
		return fmt.Errorf("%w with --vm", err)
	}
	return err
}

// here returns an error if nvad runs on another machine and no VM is named: without a name, Azure
// is asked about this machine.
func (a *app) here(vm string) error {
	if a.remote.address != "" && vm == "" {
		return errors.New("--address: which machine of Azure is that? give its resource ID with --vm")
	}
	return nil
}

// azureQuestion says what a command wants to know, or which file has it already.
type azureQuestion struct {
	arm.Ask
	file string
}

// register adds the flags of a command that reads.
func (q *azureQuestion) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.VM, "vm", "", "resource `ID` of the NVA (default this machine)")
	cmd.Flags().StringArrayVar(&q.Spokes, "spoke", nil, "also read this `NIC` of a spoke; may be repeated")
}

// fromFile adds the flag of a command that can do without Azure.
func (q *azureQuestion) fromFile(cmd *cobra.Command) {
	cmd.Flags().StringVar(&q.file, "from-snapshot", "", "read a `FILE` of \"azure snapshot\" instead")
	for _, other := range []string{"vm", "spoke"} {
		cmd.MarkFlagsMutuallyExclusive("from-snapshot", other)
	}
}

// snapshotOf gets the answer, from Azure or from the file.
func (a *app) snapshotOf(ctx context.Context, at *azureAccess, q *azureQuestion) (saved savedSnapshot, err error) {
	if q.file != "" {
		return readSnapshot(q.file)
	}
	if err := a.here(q.VM); err != nil {
		return saved, err
	}
	err = a.askAzure(ctx, at, func(ctx context.Context, c azureClient) error {
		saved.Snapshot, err = c.Snapshot(ctx, q.Ask)
		return err
	})
	if err == nil {
		err = q.unknown(&saved.Snapshot)
	}
	return saved, err
}

// unknown returns an error if the operator has named a NIC that is not there. One that may
// not be read is no error: somebody else may own the spoke.
func (q *azureQuestion) unknown(s *azure.Snapshot) error {
	for _, spoke := range q.Spokes {
		for _, m := range s.Missing {
			if m.What == azure.WhatNIC && m.Permission == "" && strings.EqualFold(nameOfID(m.ID), nameOfID(spoke)) {
				return fmt.Errorf("--spoke %s: %s", spoke, m.Reason)
			}
		}
	}
	return nil
}
