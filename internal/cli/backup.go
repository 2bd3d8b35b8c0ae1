package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/freshetdb/freshet/ingest"
	"github.com/freshetdb/freshet/storage"
)

const (
	defaultAdminURL = "http://127.0.0.1:4681"
	adminURLEnv     = "FRESHET_ADMIN_URL"
)

type backupOptions struct {
	url, token string
	verify     bool
}

func (p Program) backupCommand() *cobra.Command {
	var o backupOptions
	cmd := &cobra.Command{
		Use:   "backup FOLDER",
		Short: "Back up a running server into a folder of its machine",
		Long: `Back up a running server, while it goes on working, into a folder of the machine that it runs on.

What was acknowledged before the backup began is in it. A folder that holds an earlier backup gets only what is new, and
the earlier one stays whole until the new one is complete. Every file is read back after it was written.`,
		Example: "  freshet backup /var/backups/freshet\n  freshet backup --verify /var/backups/freshet",
		Args:    exactly("a folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			folder, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}
			if o.verify {
				return p.verifyBackup(cmd.Context(), folder)
			}
			return p.backup(cmd.Context(), folder, o)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.url, "admin-url", p.env(adminURLEnv, defaultAdminURL), "the `URL` of the server's admin port ("+adminURLEnv+")")
	flags.StringVar(&o.token, "token", "", "access `TOKEN` ("+tokenEnv+")")
	flags.BoolVar(&o.verify, "verify", false, "take no backup: read the one in FOLDER and check every file of it; needs no server")
	return cmd
}

// backupLine is one line of the server's answer.
type backupLine struct {
	Done    int64 `json:"done"`
	Total   int64 `json:"total"`
	Problem *struct {
		Detail string `json:"detail"`
	} `json:"problem"`
	Backup *struct {
		Position    string `json:"position"`
		Files       int    `json:"files"`
		Bytes       int64  `json:"bytes"`
		CopiedBytes int64  `json:"copiedBytes"`
	} `json:"backup"`
	Detail string `json:"detail"` // of a problem that is the whole answer
}

func (p Program) backup(ctx context.Context, folder string, o backupOptions) error {
	if o.token == "" {
		o.token = p.env(tokenEnv, "")
	}
	body, err := json.Marshal(map[string]string{"folder": folder})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url+"/v1/admin/backup", bytes.NewReader(body))
	if err != nil {
		return usagef("--admin-url is %q; give one such as %s", o.url, defaultAdminURL)
	}
	request.Header.Set("Content-Type", "application/json")
	if o.token != "" {
		request.Header.Set("Authorization", "Bearer "+o.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("the server cannot be reached: %w; is its admin port at %s? --admin-url names another", err, o.url)
	}
	defer response.Body.Close()
	bar := p.newBar("backing up")
	defer bar.end()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line backupLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("the server's answer cannot be read: %w", err)
		}
		switch {
		case response.StatusCode != http.StatusOK:
			err := fmt.Errorf("the server refused (%s): %s", response.Status, line.Detail)
			if response.StatusCode == http.StatusUnauthorized {
				err = fmt.Errorf("%w; give an access token with --token or %s", err, tokenEnv)
			}
			return err
		case line.Problem != nil:
			return errors.New(line.Problem.Detail)
		case line.Backup != nil:
			bar.end()
			_, err := fmt.Fprintf(p.Stdout, "%d files, %s, %s of it new; position %s\n",
				line.Backup.Files, formatSize(line.Backup.Bytes), formatSize(line.Backup.CopiedBytes), line.Backup.Position)
			return err
		}
		bar.show(line.Done, line.Total)
	}
	if err := cmp.Or(context.Cause(ctx), lines.Err()); err != nil {
		return fmt.Errorf("the backup was not finished: %w", err)
	}
	return errors.New("the server's answer ended before the backup did")
}

func (p Program) verifyBackup(ctx context.Context, folder string) error {
	bar := p.newBar("verifying")
	defer bar.end()
	b, err := storage.VerifyBackup(ctx, folder, bar.show)
	if err != nil {
		return err
	}
	bar.end()
	_, err = fmt.Fprintf(p.Stdout, "%d files, %s, of %s: whole\n", len(b.Files), formatSize(b.Bytes), b.Created.Format("2006-01-02 15:04:05 MST"))
	return err
}

func (p Program) restoreCommand() *cobra.Command {
	var data string
	cmd := &cobra.Command{
		Use:   "restore FOLDER --data DATA",
		Short: "Make a data folder of a backup",
		Long: `Make a data folder of the backup in FOLDER. DATA must be missing or empty; it appears whole or not at all, and a backup
that does not verify restores nothing. The server then begins a new time line: a live query that comes back with a
position from before gets its result anew, marked reset, never silence. The root token is not part of a backup; the first
start makes a new one.`,
		Args: exactly("the folder of a backup"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bar := p.newBar("restoring")
			defer bar.end()
			b, err := storage.Restore(cmd.Context(), args[0], data, bar.show)
			if err != nil {
				return err
			}
			bar.end()
			_, err = fmt.Fprintf(p.Stdout, "%d files, %s, of %s, restored to %s\n", len(b.Files), formatSize(b.Bytes), b.Created.Format("2006-01-02 15:04:05 MST"), data)
			return err
		},
	}
	cmd.Flags().StringVar(&data, "data", "./data", "the data `FOLDER` to make")
	return cmd
}

func (p Program) dataCommand() *cobra.Command {
	c := &cobra.Command{Use: "data", Short: "Check a data folder", Args: cobra.ArbitraryArgs, RunE: group}
	c.AddCommand(&cobra.Command{
		Use:   "check FOLDER",
		Short: "Read everything in the data folder of a stopped server and check that it fits together",
		Long: `Read everything in the data folder of a stopped server: every group of the log and every block of the documents with its
checksum, every document, and for each document whether it is what the log last made of it. It changes nothing, and no
server can start in the folder meanwhile. Exit code 1 if anything is wrong.`,
		Args: exactly("a data folder"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.checkData(cmd.Context(), args[0]) },
	})
	return c
}

func (p Program) checkData(ctx context.Context, folder string) error {
	if !isFolder(filepath.Join(folder, storage.LogFolder)) || !isFolder(filepath.Join(folder, storage.StateFolder)) {
		return fmt.Errorf("%s is no data folder: it lacks %s or %s", folder, storage.LogFolder, storage.StateFolder)
	}
	if err := storage.CheckFormat(folder); err != nil {
		return err
	}
	report, err := storage.Check(ctx, storage.Config{Dir: filepath.Join(folder, storage.StateFolder)},
		ingest.SegmentConfig{Dir: filepath.Join(folder, storage.LogFolder)})
	if err != nil {
		return err
	}
	for _, problem := range report.Problems {
		if _, err := fmt.Fprintln(p.Stdout, problem); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(p.Stdout, "log: %d records in %d segments\nstate: %d documents (%s) in %d collections with %d indexes, %d tombstones, %d remembered requests\ncompared with the log: %d documents\n",
		report.Log.Entries, report.Log.Segments, report.Documents, formatSize(report.DocumentBytes), report.Collections, report.Indexes, report.Tombstones, report.Requests, report.Compared); err != nil {
		return err
	}
	if report.ProblemCount > 0 {
		return fmt.Errorf("%s; restore a backup, or ask for help before anything is changed", count(report.ProblemCount, "problem"))
	}
	_, err = fmt.Fprintln(p.Stdout, "all is well")
	return err
}
