package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	genericapiserver "k8s.io/apiserver/pkg/server"
	logs "k8s.io/component-base/logs/api/v1"
	base "sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
	prometheus "sigs.k8s.io/prometheus-adapter/pkg/client"
	"sigs.k8s.io/prometheus-adapter/pkg/config"
	custom "sigs.k8s.io/prometheus-adapter/pkg/custom-provider"
	"sigs.k8s.io/prometheus-adapter/pkg/naming"
)

const adapterName = "prometheus-adapter"

// What the adapter is told: where Prometheus is, what to ask it for, and how often to look for new series.
type adapterOptions struct {
	prometheusURL, config string
	relist, maxAge        time.Duration
}

// The adapter is upstream's, with its rules, discovery and queries, under a main of our own: upstream's needs the
// libraries of Kubernetes 1.30, and in this binary it costs no more than its own packages.
func newAdapterCommand() *cobra.Command {
	adapter := &base.AdapterBase{Name: adapterName, FlagSet: pflag.NewFlagSet(adapterName, pflag.ContinueOnError)}
	logging := logs.NewLoggingConfiguration()
	options := adapterOptions{}
	command := &cobra.Command{
		Use:  adapterName,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := logs.ValidateAndApply(logging, nil); err != nil {
				return err
			}
			running := genericapiserver.SetupSignalContext()
			metrics, err := customMetrics(adapter, options, running.Done())
			if err != nil {
				return err
			}
			adapter.WithCustomMetrics(metrics)
			server, err := adapter.Config()
			if err != nil {
				return err
			}
			// Its descriptions of its objects go by names that this Kubernetes does not know; autoscalers ask for none.
			server.GenericConfig.OpenAPIConfig, server.GenericConfig.OpenAPIV3Config = nil, nil
			return adapter.Run(running)
		},
	}
	flags := command.Flags()
	flags.AddFlagSet(adapter.Flags())
	logs.AddFlags(logging, flags)
	flags.StringVar(&options.prometheusURL, "prometheus-url", "", "address of Prometheus")
	flags.StringVar(&options.config, "config", "", "file with the rules")
	flags.DurationVar(&options.relist, "metrics-relist-interval", time.Minute, "time between two looks for new series")
	flags.DurationVar(&options.maxAge, "metrics-max-age", 10*time.Minute, "time for which a silent series stays known")
	return command
}

// Builds what answers for metrics by the rules of the configuration, and has it look for series until done.
func customMetrics(adapter *base.AdapterBase, options adapterOptions, done <-chan struct{}) (provider.CustomMetricsProvider, error) {
	address, err := url.Parse(options.prometheusURL)
	if err != nil || address.Host == "" {
		return nil, fmt.Errorf("--prometheus-url %q: an address such as http://prometheus:9090 was expected", options.prometheusURL)
	}
	rules, err := config.FromFile(options.config)
	if err != nil {
		return nil, fmt.Errorf("--config %q: %w", options.config, err)
	}
	mapper, err := adapter.RESTMapper()
	if err != nil {
		return nil, err
	}
	pods, err := adapter.DynamicClient()
	if err != nil {
		return nil, err
	}
	namers, err := naming.NamersFromConfig(rules.Rules, mapper)
	if err != nil {
		return nil, fmt.Errorf("--config %q: %w", options.config, err)
	}
	api := prometheus.NewGenericAPIClient(&http.Client{Timeout: 10 * time.Second}, address, http.Header{})
	client := untimed{prometheus.NewClientForAPI(api, http.MethodGet)}
	metrics, lister := custom.NewPrometheusProvider(mapper, pods, client, namers, options.relist, options.maxAge)
	lister.RunUntil(done)
	return metrics, nil
}

// A client that tells Prometheus no time limit: upstream's counts it from the deadline back, and Prometheus refuses what is
// below zero. The HTTP client has one.
type untimed struct{ prometheus.Client }

func (client untimed) Query(asked context.Context, at model.Time, query prometheus.Selector) (prometheus.QueryResult, error) {
	return client.Client.Query(context.WithoutCancel(asked), at, query)
}
