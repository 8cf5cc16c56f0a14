// Command cert-manager is cert-manager's controller, cainjector, webhook and startupapicheck in one file: the name it is
// called by (a symlink) says which one runs. Upstream's own commands are nested modules that no module proxy serves, so this one
// wires the same packages, without the issuers that need an outside world (ACME, Vault, Venafi). Its module lies below
// upstream's path because Go lets only such a module import upstream's internal/webhook.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	kubernetesscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	internalwebhook "github.com/cert-manager/cert-manager/internal/webhook"
	certmanagerscheme "github.com/cert-manager/cert-manager/pkg/client/clientset/versioned/scheme"
	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/cmapichecker"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
)

const workersPerController = 2

var programs = map[string]func(ctx context.Context, arguments []string) error{
	"controller":      runController,
	"cainjector":      runInjector,
	"webhook":         runWebhook,
	"startupapicheck": runCheck,
}

func main() {
	name := filepath.Base(os.Args[0])
	run, known := programs[name]
	if !known {
		fmt.Fprintf(os.Stderr, "%s: call me by one of these names (a symlink each): controller, cainjector, webhook, startupapicheck\n", name)
		os.Exit(2)
	}
	logs.InitLogs()
	defer logs.FlushLogs()
	ctrl.SetLogger(logs.Log)
	if err := run(ctrl.SetupSignalHandler(), os.Args[1:]); err != nil && !errors.Is(err, context.Canceled) {
		klog.ErrorS(err, "cert-manager ended", "program", name)
		logs.FlushLogs()
		os.Exit(1)
	}
}

// parse reads the flags of one program. The chart always passes one that means nothing here: leader election (one
// replica and the Recreate strategy: there is never a second).
func parse(name string, arguments []string, define func(*pflag.FlagSet)) error {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	logging := logsapi.NewLoggingConfiguration()
	logs.AddFlagsNonDeprecated(logging, flags)
	_ = flags.String("leader-election-namespace", "", "accepted and not used: there is one replica")
	define(flags)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	return logs.ValidateAndApply(logging)
}

func runController(ctx context.Context, arguments []string) error {
	settings := controller.ContextOptions{
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"},
			CertificateRequestMinimumBackoffDuration: time.Minute,
			CertificateRequestMaximumBackoffDuration: time.Hour,
		},
	}
	var metricsAddress string
	err := parse("controller", arguments, func(flags *pflag.FlagSet) {
		flags.StringVar(&metricsAddress, "metrics-listen-address", ":9402", "where GET /metrics is answered")
		flags.BoolVar(&settings.CertificateOptions.EnableOwnerRef, "enable-certificate-owner-ref", false, "whether a Certificate owns its Secret")
		flags.StringVar(&settings.ClusterResourceNamespace, "cluster-resource-namespace", "kube-system", "where a ClusterIssuer's Secrets lie")
		flags.StringVar(&settings.HTTP01SolverImage, "acme-http01-solver-image", "", "accepted and not used: no ACME issuer is built in")
		flags.IntVar(&settings.MaxConcurrentChallenges, "max-concurrent-challenges", 60, "accepted and not used: no ACME issuer is built in")
	})
	if err != nil {
		return err
	}
	factory, err := controller.NewContextFactory(ctx, settings)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	// Its lister is of the informers that are started below.
	shared.Metrics.SetupCertificateCollector(shared.SharedInformerFactory.Certmanager().V1().Certificates().Lister())
	listener, err := net.Listen("tcp", metricsAddress)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serveUntil(ctx, shared.Metrics.NewServer(listener), listener) })
	group.Go(func() error { return serveLiveness(ctx, ":9403") })
	for name, construct := range controller.Known() {
		built, err := construct(factory)
		if err != nil {
			return fmt.Errorf("controller %s: %w", name, err)
		}
		group.Go(func() error { return built.Run(workersPerController, ctx) })
	}
	// After the constructors: they say which informers they need.
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}

// serveLiveness answers the chart's liveness probe (GET /livez).
func serveLiveness(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return serveUntil(ctx, &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler:           http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) { _, _ = answer.Write([]byte("ok")) }),
	}, listener)
}

// serveUntil serves until the context ends, which is no error.
func serveUntil(ctx context.Context, server *http.Server, listener net.Listener) error {
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func runInjector(ctx context.Context, arguments []string) error {
	err := parse("cainjector", arguments, func(flags *pflag.FlagSet) {
		_ = flags.String("metrics-listen-address", "", "accepted and not used: there are no metrics")
	})
	if err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		kubernetesscheme.AddToScheme, certmanagerscheme.AddToScheme, apiextensions.AddToScheme, apiregistration.AddToScheme,
	} {
		utilruntime.Must(add(scheme))
	}
	manager, err := ctrl.NewManager(util.RestConfigWithUserAgent(config, "cainjector"), ctrl.Options{
		Scheme:  scheme,
		Cache:   cache.Options{ReaderFailOnMissingInformer: true},
		Client:  client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}}}},
		Metrics: metricsserver.Options{BindAddress: "0"},
	})
	if err != nil {
		return err
	}
	err = cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		EnableCertificatesDataSource: true,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   true,
			cainjector.ValidatingWebhookConfigurationName: true,
			cainjector.APIServiceName:                     true,
			cainjector.CustomResourceDefinitionName:       true,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

func runWebhook(ctx context.Context, arguments []string) error {
	settings, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	options.AddConfigFlags(flags, settings)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if err := logs.ValidateAndApply(&settings.Logging); err != nil {
		return err
	}
	server, err := internalwebhook.NewCertManagerWebhookServer(logs.Log, *settings)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}

// runCheck waits until the API server takes a CertificateRequest, with the webhook's certificate and all: only then is an
// installation done. It is called as the chart's job calls it: check api --wait=1m -v.
func runCheck(ctx context.Context, arguments []string) error {
	flags := pflag.NewFlagSet("startupapicheck", pflag.ContinueOnError)
	limit := flags.Duration("wait", time.Minute, "how long to try")
	_ = flags.BoolP("verbose", "v", false, "accepted and not used: each attempt is told")
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	checker, err := cmapichecker.New(config, os.Getenv("POD_NAMESPACE"))
	if err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, time.Second, *limit, true, func(ctx context.Context) (bool, error) {
		err := checker.Check(ctx)
		if err != nil {
			klog.InfoS("not yet", "because", err.Error())
		}
		return err == nil, nil
	})
}
