package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/config/receiver"
	"github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/eventrecorder"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/inhibit"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/provider/mem"
	"github.com/prometheus/alertmanager/template"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
)

// Situation is what Alertmanager knows when it looks at its groups.
type situation struct {
	// ExternalURL is where Alertmanager says that it can be reached.
	ExternalURL string `json:"externalURL"`
	// Alerts as Prometheus posts them; one whose endsAt has passed is resolved.
	Alerts []model.Alert `json:"alerts"`
}

// Outcome is what became of it.
type outcome struct {
	// Inhibited alerts, which nobody is told of.
	Inhibited []model.LabelSet `json:"inhibited"`
	// Sent groups, in the order in which their first alert was given.
	Sent []group `json:"sent"`
}

type group struct {
	Receiver       string           `json:"receiver"`
	Labels         model.LabelSet   `json:"labels"`
	GroupWait      model.Duration   `json:"groupWait"`
	GroupInterval  model.Duration   `json:"groupInterval"`
	RepeatInterval model.Duration   `json:"repeatInterval"`
	Alerts         []model.LabelSet `json:"alerts"`
	// Integrations that sent something: slack[0], email[0].
	Integrations []string `json:"integrations"`

	route  *dispatch.Route
	alerts []*alert.Alert
}

// Deliver does once, and at once, what Alertmanager does with these alerts: inhibits, routes, groups and sends.
func deliver(ctx context.Context, path string, input io.Reader, output io.Writer) error {
	var given situation
	if err := json.NewDecoder(input).Decode(&given); err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	loaded, err := config.LoadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	tmpl, err := template.FromGlobs(loaded.Templates)
	if err != nil {
		return err
	}
	if tmpl.ExternalURL, err = url.Parse(given.ExternalURL); err != nil {
		return fmt.Errorf("externalURL: %w", err)
	}
	now := time.Now()
	alerts := make([]*alert.Alert, len(given.Alerts))
	for index, one := range given.Alerts {
		alerts[index] = &alert.Alert{Alert: one, UpdatedAt: now}
	}
	inhibited, err := inhibitor(ctx, loaded, alerts)
	if err != nil {
		return err
	}
	told := outcome{Inhibited: []model.LabelSet{}, Sent: []group{}}
	for _, one := range alerts {
		if inhibited(one) {
			told.Inhibited = append(told.Inhibited, one.Labels)
			continue
		}
		for _, route := range dispatch.NewRoute(loaded.Route, nil).Match(one.Labels) {
			told.add(route, one)
		}
	}
	for index := range told.Sent {
		if err := told.Sent[index].send(ctx, loaded, tmpl, now); err != nil {
			return err
		}
	}
	encoder := json.NewEncoder(output)
	encoder.SetIndent("", "  ")
	return encoder.Encode(told)
}

// Inhibitor returns whether another of the alerts keeps one from being sent.
func inhibitor(ctx context.Context, loaded *config.Config, alerts []*alert.Alert) (func(*alert.Alert) bool, error) {
	logger, recorder := slog.New(slog.DiscardHandler), eventrecorder.NopRecorder()
	known, err := mem.NewAlerts(
		ctx, time.Hour, 0, nil, logger, recorder, prometheus.NewRegistry(), featurecontrol.NoopFlags{},
	)
	if err != nil {
		return nil, err
	}
	if err := known.Put(ctx, alerts...); err != nil {
		return nil, err
	}
	found := inhibit.NewInhibitor(known, loaded.InhibitRules, logger, recorder)
	go found.Run() // ends with the program
	found.WaitForLoading()
	return func(one *alert.Alert) bool { return found.Mutes(ctx, one.Labels) }, nil
}

// Add puts an alert into its group of the route, as the dispatcher does.
func (o *outcome) add(route *dispatch.Route, one *alert.Alert) {
	labels := model.LabelSet{}
	for name, value := range one.Labels {
		if _, ok := route.RouteOpts.GroupBy[name]; ok || route.RouteOpts.GroupByAll {
			labels[name] = value
		}
	}
	for index := range o.Sent {
		known := &o.Sent[index]
		if known.route.Key() == route.Key() && known.Labels.Equal(labels) {
			known.alerts = append(known.alerts, one)
			known.Alerts = append(known.Alerts, one.Labels)
			return
		}
	}
	o.Sent = append(o.Sent, group{
		Receiver:       route.RouteOpts.Receiver,
		Labels:         labels,
		GroupWait:      model.Duration(route.RouteOpts.GroupWait),
		GroupInterval:  model.Duration(route.RouteOpts.GroupInterval),
		RepeatInterval: model.Duration(route.RouteOpts.RepeatInterval),
		Alerts:         []model.LabelSet{one.Labels},
		Integrations:   []string{},
		route:          route,
		alerts:         []*alert.Alert{one},
	})
}

// Send has every integration of the group's receiver send it, as the retry stage does at its first try.
func (g *group) send(ctx context.Context, loaded *config.Config, tmpl *template.Template, now time.Time) error {
	ctx = notify.WithGroupKey(ctx, fmt.Sprintf("%s:%s", g.route.Key(), g.Labels))
	ctx = notify.WithGroupLabels(ctx, g.Labels)
	ctx = notify.WithReceiverName(ctx, g.Receiver)
	ctx = notify.WithRepeatInterval(ctx, time.Duration(g.RepeatInterval))
	ctx = notify.WithNow(ctx, now)
	ctx = notify.WithNotificationReason(ctx, notify.ReasonFirstNotification)
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, one := range loaded.Receivers {
		if one.Name != g.Receiver {
			continue
		}
		integrations, err := receiver.BuildReceiverIntegrations(one, tmpl, logger)
		if err != nil {
			return fmt.Errorf("receiver %s: %w", one.Name, err)
		}
		for _, integration := range integrations {
			due := g.due(integration.SendResolved())
			if len(due) == 0 {
				continue
			}
			if _, err := integration.Notify(ctx, due...); err != nil {
				return fmt.Errorf("receiver %s, %s: %w", one.Name, integration.String(), err)
			}
			g.Integrations = append(g.Integrations, integration.String())
		}
	}
	return nil
}

// Due returns the alerts that an integration is told of.
func (g *group) due(resolvedToo bool) []*alert.Alert {
	var due []*alert.Alert
	for _, one := range g.alerts {
		if resolvedToo || one.Status() != model.AlertResolved {
			due = append(due, one)
		}
	}
	return due
}
