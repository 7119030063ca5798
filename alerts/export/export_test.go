package export

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"

	"onemap/alerts"
	"onemap/internal/core"
)

func row(note string) Row {
	at := time.Date(2026, 11, 27, 18, 30, 0, 0, time.UTC)
	cleared := at.Add(time.Hour)
	return Row{
		Alert: alerts.Alert{
			ID: 7, Headline: core.Text{ZH: note, EN: note}, HazardName: core.Text{ZH: "洪水", EN: "Flood"}, DeviceName: core.Text{ZH: "演示-1", EN: "Demo 1"},
			DeviceID: "wl-1", Division: "370602", Level: core.Blue, PeakLevel: core.Red, PeakValue: -3.5, PeakAt: at, Detection: alerts.Cleared,
			Handling: alerts.Closed, Onset: at, OpenedAt: at, ClearedAt: &cleared, Origin: core.OriginSynthetic, Assignee: "r370602",
			Confirmations: []alerts.Confirmation{{Division: "370602", Name: "张三", Level: core.Blue, At: at}},
		},
		Steps:    []alerts.Audit{{At: at, Actor: "r370602", Division: "370602", Step: "resolve", Note: "闸门已关"}},
		Division: core.Text{ZH: "芝罘区", EN: "Zhifu"},
	}
}

func written(t testing.TB, f Format, lang Language, cut int, rows ...Row) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, f, lang)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(cut); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// table reads a file as a spreadsheet program does.
func read(t testing.TB, f Format, file []byte) [][]string {
	t.Helper()
	if f == CSV {
		rest, ok := bytes.CutPrefix(file, []byte("\xEF\xBB\xBF"))
		if !ok {
			t.Fatal("the CSV has no byte order mark")
		}
		r := csv.NewReader(bytes.NewReader(rest))
		r.FieldsPerRecord = -1
		cells, err := r.ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return cells
	}
	x, err := excelize.OpenReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.Close() }()
	cells, err := x.GetRows(x.GetSheetName(0))
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

func TestBothFormatsSayTheSame(t *testing.T) {
	for lang, want := range map[Language]map[string]string{
		Chinese: {"编号": "7", "最高级别": "红色", "级别": "蓝色", "最高值": "-3.5", "最高值时间（北京时间 UTC+08:00）": "2026-11-28 02:30:00", "解除（北京时间 UTC+08:00）": "2026-11-28 03:30:00",
			"区划": "芝罘区", "监测状态": "已解除", "处置状态": "已关闭", "数据来源": "模拟", "处置记录": "2026-11-28 02:30:00 370602 r370602 办结：闸门已关", "负责人": "r370602",
			"确认": "2026-11-28 02:30:00 370602 张三 蓝色（此后又升级或恢复，需重新确认）"},
		English: {"No.": "7", "Peak level": "Red", "Level": "Blue", "Peak at (Asia/Shanghai, UTC+08:00)": "2026-11-28 02:30:00", "Division": "Zhifu", "Detection": "cleared",
			"Steps and notes": "2026-11-28 02:30:00 370602 r370602 resolved it: 闸门已关"},
	} {
		for _, f := range []Format{CSV, XLSX} {
			cells := read(t, f, written(t, f, lang, 0, row("洪水")))
			if len(cells) != 2 {
				t.Fatalf("%s %s: %d rows", f, lang, len(cells))
			}
			for title, value := range want {
				if i := slices.Index(cells[0], title); i < 0 || cells[1][i] != value {
					t.Errorf("%s %s: %s: %q in %q", f, lang, title, value, cells)
				}
			}
		}
	}
}

func TestWhatIsCutSaysSo(t *testing.T) {
	for _, f := range []Format{CSV, XLSX} {
		cells := read(t, f, written(t, f, English, 1, row("x")))
		if last := cells[len(cells)-1]; len(cells) != 3 || !strings.HasPrefix(last[0], "Only the newest 1 are here") {
			t.Errorf("%s: %q", f, cells)
		}
	}
}

func TestFormulasAreTexts(t *testing.T) {
	for _, evil := range []string{
		`=1+1`, `+1`, `-1`, `@SUM(A1)`, "\t=1", "\r=1", "\n=1", " =1", "\u00a0=1", "\uFEFF=1", `＝1`, `＋1`, `－1`, `＠x`, "\x00=1", "\x01\x02=cmd|' /C calc'!A0", `=HYPERLINK("http://x","y")`, "\tplain",
	} {
		for _, f := range []Format{CSV, XLSX} {
			cells := read(t, f, written(t, f, Chinese, 0, row(evil)))
			if got := cells[1][1]; !strings.HasPrefix(got, "'") {
				t.Errorf("%s: %q stands as %q", f, evil, got)
			}
		}
	}
	for _, good := range []string{"芝罘区 = 370602", "a-b", "'quoted", `"x"`, "1,2", "a\nb", ""} {
		cells := read(t, CSV, written(t, CSV, Chinese, 0, row(good)))
		if cells[1][1] != good {
			t.Errorf("%q became %q", good, cells[1][1])
		}
	}
	if long := plain(strings.Repeat("长", 40_000)); utf8.RuneCountInString(long) != maxCell+1 {
		t.Errorf("%d characters in a cell", utf8.RuneCountInString(long))
	}
}

// FuzzPlain checks that no text from a device or a person makes a cell run as a formula, and that both files can be
// read.
func FuzzPlain(f *testing.F) {
	for _, s := range []string{"=1", "洪水", "\t@", "\xff\xfe", "a\x00b", "\u2028=1", "'=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := plain(s)
		bare := strings.TrimSpace(got)
		if bare != "" && strings.ContainsRune("=+-@\t\r\n", rune(bare[0])) {
			t.Errorf("%q runs as %q", s, got)
		}
		for _, format := range []Format{CSV, XLSX} {
			if cells := read(t, format, written(t, format, English, 0, row(s))); len(cells) != 2 || cells[1][0] != fmt.Sprint(7) {
				t.Errorf("%s of %q reads as %q", format, s, cells)
			}
		}
	})
}
