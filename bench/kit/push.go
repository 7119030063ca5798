package kit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// silence is the read time limit of a connection. The server sends a heartbeat every 10 s.
const silence = 30 * time.Second

// DialPush opens the WebSocket of docs/push-protocol.md, sends the hello and reads up to the welcome. client is 8 to 64 of
// [A-Za-z0-9_-].
func DialPush(ctx context.Context, s *Session, client string) (*websocket.Conn, error) {
	d := websocket.Dialer{Subprotocols: []string{"onemap.v1"}, HandshakeTimeout: 10 * time.Second}
	conn, res, err := d.DialContext(ctx, "ws://"+s.Server.Addr+"/ws", http.Header{"Cookie": {s.Cookie}})
	if err != nil {
		return nil, fmt.Errorf("connect to /ws: %w", err)
	}
	_ = res.Body.Close() // the body is empty
	err = conn.WriteJSON(map[string]string{"type": "hello", "client": client})
	for err == nil {
		var text []byte
		if text, err = ReadFrame(conn); err != nil {
			break
		}
		var f struct {
			Type string `json:"type"`
		}
		if err = json.Unmarshal(text, &f); err == nil && f.Type == "welcome" {
			return conn, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("say hello: %w", err), conn.Close())
}

// ReadFrame returns the text of the next frame.
func ReadFrame(conn *websocket.Conn) ([]byte, error) {
	if err := conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return nil, fmt.Errorf("read a frame: %w", err)
	}
	_, text, err := conn.ReadMessage()
	if err != nil {
		return nil, fmt.Errorf("read a frame: %w", err)
	}
	return text, nil
}
