// Pocketbase serves PocketBase with one collection, as much as a comparison needs: open to everybody, batches allowed, its
// request log off, and SQLite synced at every commit (PocketBase itself sets synchronous to NORMAL, which may lose the
// last transactions with the power).
package main

import (
	"log"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"

	_ "modernc.org/sqlite"
)

// pragmas are PocketBase's own but for synchronous.
const pragmas = "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=journal_size_limit(200000000)&_pragma=synchronous(FULL)" +
	"&_pragma=foreign_keys(ON)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)"

func main() {
	app := pocketbase.NewWithConfig(pocketbase.Config{
		HideStartBanner: true,
		DBConnect:       func(path string) (*dbx.DB, error) { return dbx.Open("sqlite", path+pragmas) },
	})
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		if err := prepare(e.App); err != nil {
			return err
		}
		e.InstallerFunc = nil
		return e.Next()
	})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}

func prepare(app core.App) error {
	settings := app.Settings()
	settings.Logs.MaxDays = 0
	settings.Batch.Enabled, settings.Batch.MaxRequests, settings.Batch.Timeout = true, 1000, 60
	if err := app.Save(settings); err != nil {
		return err
	}
	things := core.NewBaseCollection("things")
	things.Fields.Add(&core.NumberField{Name: "group"}, &core.NumberField{Name: "score"}, &core.TextField{Name: "text", Max: 1 << 20})
	things.AddIndex("things_group", false, "`group`", "")
	open := types.Pointer("")
	things.ListRule, things.ViewRule, things.CreateRule, things.UpdateRule = open, open, open, open
	return app.Save(things)
}
