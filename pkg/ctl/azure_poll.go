package ctl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/nvad/nvad/pkg/api"
	"github.com/nvad/nvad/pkg/azure"
	"github.com/nvad/nvad/pkg/azure/arm"
	nvadv1 "github.com/nvad/nvad/proto/nvad/v1"
)

// longestPoll bounds the time of a poll. Polls are at least 300 seconds apart, and so never
// overlap.
const longestPoll = 4 * time.Minute

// reportSize bounds a report, in octets. nvad accepts 64 KiB.
const reportSize = 60 << 10

func (a *app) azurePollCommand(at *azureAccess) *cobra.Command {
	return &cobra.Command{
		Use:   "poll",
		Short: "Ask Azure once, so that nvad can mention the answer",
		Long: `Ask Azure what it does with the prefixes that nvad announces, and hand nvad a
summary of the answer: explain, routes lookup and status then mention it.
azure.poll in nvad's configuration says how often. If no poll is due, this ends
at once with exit code 0.

nvad-azure.timer runs it every minute.`,
		Example:     "  nvactl azure poll\n  systemctl status nvad-azure.timer",
		Annotations: changing,
		PreRunE: func(*cobra.Command, []string) error {
			if a.remote.address != "" {
				return failed(errors.New("--address: a poll asks Azure about this machine, so it must run where nvad runs"))
			}
			return nil
		},
		RunE: a.run(func(ctx context.Context, c *client, _ []string) error {
			if at.timeout > longestPoll {
				return fmt.Errorf("--timeout %s: a poll may take %s at most, so that no two overlap", at.timeout, longestPoll)
			}
			r, err := c.control.BeginAzurePoll(ctx, &nvadv1.BeginAzurePollRequest{})
			if err != nil || !r.GetDue() {
				return a.done(r, err, "not asked: %s", r.GetReason())
			}
			return a.pollAzure(ctx, at, c)
		}),
	}
}

// pollAzure asks Azure and reports. Whatever happens, nvad learns of it.
func (a *app) pollAzure(ctx context.Context, at *azureAccess, c *client) error {
	m, asked := a.askPoll(ctx, at, c)
	req := &nvadv1.ReportAzurePollRequest{Poll: m}
	if asked != nil {
		req = &nvadv1.ReportAzurePollRequest{Error: oneLine(asked.Error(), azure.MaxPollText)}
	}
	// A poll that was canceled is reported, too.
	_, err := c.control.ReportAzurePoll(context.WithoutCancel(ctx), req)
	if err != nil {
		err = fmt.Errorf("nvad did not take the answer: %w", plainError(err))
	}
	if asked != nil || err != nil {
		return errors.Join(asked, err)
	}
	return a.done(m, nil, "%s, %s", count(prefixesOf(m), "prefix"), count(m.GetFindings(), "finding"))
}

// askPoll returns what nvad is told of Azure's answer.
func (a *app) askPoll(ctx context.Context, at *azureAccess, c *client) (m *nvadv1.AzurePoll, err error) {
	var s azure.Snapshot
	err = a.askAzure(ctx, at, func(ctx context.Context, client azureClient) (err error) {
		s, err = client.Snapshot(ctx, arm.Ask{Routes: true})
		return err
	})
	if err != nil {
		return nil, err
	}
	self, err := c.self(ctx, instancesOf(&s))
	if err != nil {
		return nil, plainError(err)
	}
	report := azure.Diff(s, self, azure.Options{Listed: azure.MaxPolled})
	return pollMessage(report.Summary()), nil
}

// pollMessage turns p into a message of at most reportSize. Prefixes that do not fit are
// left out, the last ones first.
func pollMessage(p azure.Poll) *nvadv1.AzurePoll {
	m := &nvadv1.AzurePoll{
		Taken: timestamppb.New(p.Taken), LeftOut: uint32(p.LeftOut), Findings: uint32(p.Findings), NotRead: uint32(p.NotRead),
	}
	const frame = 8 // octets of a field around its content, at most
	room := reportSize - proto.Size(m) - frame
	for _, f := range p.Fates {
		fate := api.FateMessage(f)
		all := fate.GetPrefixes()
		fate.Prefixes = nil
		left := room - proto.Size(fate) - frame
		for _, prefix := range all {
			if left -= len(prefix) + frame; left < 0 {
				m.LeftOut++
				continue
			}
			fate.Prefixes = append(fate.Prefixes, prefix)
		}
		if len(fate.Prefixes) > 0 {
			m.Fates = append(m.Fates, fate)
			room -= proto.Size(fate) + frame
		}
	}
	return m
}

func prefixesOf(m *nvadv1.AzurePoll) int {
	n := int(m.GetLeftOut())
	for _, f := range m.GetFates() {
		n += len(f.GetPrefixes())
	}
	return n
}

// oneLine returns text as one line of at most n octets.
func oneLine(text string, n int) string {
	text = printable(strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " "))
	if len(text) > n {
		text = strings.ToValidUTF8(text[:n], "")
	}
	return text
}
