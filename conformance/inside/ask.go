// Statuses of the addresses given, by Go's own packages.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
)

func main() {
	var statuses []string
	for _, url := range os.Args[1:] {
		answer, err := http.Get(url)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		answer.Body.Close()
		statuses = append(statuses, fmt.Sprint(answer.StatusCode))
	}
	fmt.Println(strings.Join(statuses, " "))
}
