package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/blang/semver/v4"
	"github.com/prometheus-operator/prometheus-operator/pkg/alertmanager"
	"github.com/prometheus-operator/prometheus-operator/pkg/alertmanager/validation/v1alpha1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus-operator/prometheus-operator/pkg/assets"
	corev1 "k8s.io/api/core/v1"
)

// Without AlertmanagerConfigs an Alertmanager of the operator's tells nobody anything.
const base = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"

// Objects are what the operator finds in a cluster.
type objects struct {
	// Version of Alertmanager, such as 0.34.2: some fields are only written for newer ones.
	Version             string                                  `json:"version"`
	AlertmanagerConfigs []monitoringv1alpha1.AlertmanagerConfig `json:"alertmanagerConfigs"`
	Secrets             []corev1.Secret                         `json:"secrets"`
}

// Convert writes the configuration that the operator would give to an Alertmanager which selects all of the objects.
func convert(ctx context.Context, input io.Reader, output io.Writer) error {
	var found objects
	decoder := json.NewDecoder(input)
	decoder.DisallowUnknownFields() // a field that the kind does not have would be dropped in silence
	if err := decoder.Decode(&found); err != nil {
		return fmt.Errorf("objects: %w", err)
	}
	version, err := semver.Parse(found.Version)
	if err != nil {
		return fmt.Errorf("version %q: %w", found.Version, err)
	}
	secrets := make([]any, len(found.Secrets))
	for index := range found.Secrets {
		secrets[index] = &found.Secrets[index]
	}
	configs := make(map[string]*monitoringv1alpha1.AlertmanagerConfig, len(found.AlertmanagerConfigs))
	for index := range found.AlertmanagerConfigs {
		config := &found.AlertmanagerConfigs[index]
		if err := v1alpha1.ValidateAlertmanagerConfig(config); err != nil {
			return fmt.Errorf("AlertmanagerConfig %s/%s: %w", config.Namespace, config.Name, err)
		}
		configs[config.Namespace+"/"+config.Name] = config
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	store := assets.NewTestStoreBuilder(secrets...)
	builder := alertmanager.NewConfigBuilder(logger, version, store, &monitoringv1.Alertmanager{})
	if err := builder.InitializeFromRawConfiguration([]byte(base)); err != nil {
		return err
	}
	if err := builder.AddAlertmanagerConfigs(ctx, configs); err != nil {
		return err
	}
	text, err := builder.MarshalJSON() // YAML, whatever its name says
	if err != nil {
		return err
	}
	_, err = output.Write(text)
	return err
}
