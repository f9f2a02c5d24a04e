// Package nvadv1 contains the Go code that protoc generates from the gRPC interface in
// this directory. pkg/arch_test.go lists the packages that may import it.
package nvadv1

//go:generate protoc -I ../.. --go_out=../.. --go_opt=paths=source_relative --go-grpc_out=../.. --go-grpc_opt=paths=source_relative nvad/v1/nvad.proto nvad/v1/status.proto nvad/v1/neighbor.proto nvad/v1/route.proto nvad/v1/fib.proto nvad/v1/tunnel.proto nvad/v1/explain.proto nvad/v1/change.proto nvad/v1/watch.proto nvad/v1/link.proto nvad/v1/nat.proto nvad/v1/profile.proto nvad/v1/azure.proto
