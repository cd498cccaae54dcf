// pgx: the token comes in by BeforeConnect, for each connection of the pool, from the machine's own metadata service.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const audience = "https://ossrdbms-aad.database.windows.net"

// token plays the challenge of the Hybrid Instance Metadata Service.
func token(ctx context.Context) (string, error) {
	address := "http://127.0.0.1:40342/metadata/identity/oauth2/token?api-version=2020-06-01&resource=" + url.QueryEscape(audience)
	ask := func(proof string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		request.Header.Set("Metadata", "true")
		if proof != "" {
			request.Header.Set("Authorization", "Basic "+proof)
		}
		return http.DefaultClient.Do(request)
	}
	challenge, err := ask("")
	if err != nil {
		return "", err
	}
	challenge.Body.Close()
	_, path, _ := strings.Cut(challenge.Header.Get("Www-Authenticate"), "realm=")
	proof, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	answer, err := ask(string(proof))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var reply struct {
		AccessToken string `json:"access_token"`
	}
	err = json.NewDecoder(answer.Body).Decode(&reply)
	return reply.AccessToken, err
}

func main() {
	os.Unsetenv("PGPASSWORD")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// Host, database, user and trust come from the environment, as for libpq.
	config, err := pgxpool.ParseConfig("pool_max_conns=4")
	check(err)
	config.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
		c.Password, err = token(ctx)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	check(err)
	defer pool.Close()
	var who string
	check(pool.QueryRow(ctx, "SELECT current_user").Scan(&who))
	if who != os.Getenv("PGUSER") {
		log.Fatalf("pgx: found %q", who)
	}
	fmt.Println("pgx:", who)

	batch := &pgx.Batch{}
	for n := range 100 {
		batch.Queue("SELECT $1::int", n)
	}
	sum := 0
	results := pool.SendBatch(ctx, batch)
	for range 100 {
		var n int
		check(results.QueryRow().Scan(&n))
		sum += n
	}
	check(results.Close())
	if sum != 4950 {
		log.Fatalf("pgx, a batch: found %d", sum)
	}

	short, stop := context.WithTimeout(ctx, 500*time.Millisecond)
	_, err = pool.Exec(short, "SELECT pg_sleep(60)")
	stop()
	if err == nil {
		log.Fatal("pgx: the query was not cancelled")
	}
	fmt.Println("pgx: a query was cancelled")

	other := config.ConnConfig.Copy()
	other.User = "Data Team"
	other.Password, err = token(ctx)
	check(err)
	_, err = pgx.ConnectConfig(ctx, other)
	var refusal *pgconn.PgError
	if !errors.As(err, &refusal) || refusal.Code != "28P01" {
		log.Fatalf("pgx: another's role: %v", err)
	}
	fmt.Println("pgx: another's role is refused with 28P01")
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
