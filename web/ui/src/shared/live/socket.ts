import { at } from '@/shared/api/base'
import type { Socket } from './client'

/** Opens the real WebSocket of this page's origin in the shape that LiveClient works with. */
export function openSocket(onFrame: () => void): Socket {
  const scheme = location.protocol === 'https:' ? 'wss:' : 'ws:'
  const ws = new WebSocket(`${scheme}//${location.host}${at('/ws')}`, 'onemap.v1')
  const socket: Socket = {
    send: (text) => ws.send(text),
    close: (code) => ws.close(code),
    onopen: null,
    onmessage: null,
    onclose: null,
  }
  ws.onopen = () => socket.onopen?.()
  ws.onmessage = (event) => {
    onFrame()
    if (typeof event.data === 'string') socket.onmessage?.(event.data)
  }
  ws.onclose = (event) => socket.onclose?.(event.code)
  return socket
}
