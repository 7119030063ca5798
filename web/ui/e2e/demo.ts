// What a browser test needs of a running `onemap demo`: its address, its logins, and a device that may
// publish. With ONEMAP_DEMO, the demo.json of a server that runs already, that one is used.

import { readFileSync } from 'node:fs'
import { connect } from 'node:net'

export interface Demo {
  http: string
  mqtt: string
  /** A URL of the demo's PostgreSQL, for psql and for a second node. */
  database: string
  accounts: { user: string; password: string; role: string; division: string }[]
  device: { id: string; password: string; division: string; datastream: string; topic: string; red_above: number; clear_below: number }
}

export function readDemo(file: string): Demo {
  return JSON.parse(readFileSync(file, 'utf8')) as Demo
}

function packet(type: number, body: Buffer): Buffer {
  const length: number[] = []
  let n = body.length
  do {
    length.push((n % 128) | (n >= 128 ? 128 : 0))
    n = Math.floor(n / 128)
  } while (n > 0)
  return Buffer.concat([Buffer.from([type, ...length]), body])
}

function text(s: string): Buffer {
  const bytes = Buffer.from(s)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

/** A device as it logs in to the broker, and where it publishes. */
export interface Publisher {
  id: string
  password: string
  topic: string
}

/** Publishes one message at QoS 1 over MQTT 3.1.1, as a device does; resolves at the PUBACK, when it is stored. */
export function send(mqtt: string, from: Publisher, payload: string): Promise<void> {
  const [host, port] = mqtt.split(':') as [string, string]
  const flags = 0b1100_0010 // user name, password, clean session
  const hello = Buffer.concat([text('MQTT'), Buffer.from([4, flags, 0, 30]), text(from.id), text(from.id), text(from.password)])
  const message = Buffer.concat([text(from.topic), Buffer.from([0, 1]), Buffer.from(payload)])
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host, () => socket.write(packet(0x10, hello)))
    socket.on('data', (data) => {
      if (data[0] === 0x20 && data[3] === 0) socket.write(packet(0x32, message))
      else if (data[0] === 0x20) reject(new Error(`the broker refused the connection: ${data[3]}`))
      else if (data[0] === 0x40) {
        socket.end(packet(0xe0, Buffer.alloc(0)))
        resolve()
      }
    })
    socket.on('error', reject)
  })
}

/** Publishes one reading of the demo's own device. */
export function publish({ mqtt, device }: Demo, value: number): Promise<void> {
  return send(mqtt, device, JSON.stringify({ t: new Date().toISOString(), v: { [device.datastream]: value } }))
}
