// What a browser test needs of a running `onemap demo`: its address, its logins, and a device that may
// publish. ONEMAP_DEMO names the demo.json that the server writes when it is ready.

import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { Page } from '@playwright/test'

export interface Demo {
  http: string
  mqtt: string
  /** A URL of the demo's PostgreSQL, for psql and for a second node. */
  database: string
  accounts: { user: string; password: string; role: string; division: string }[]
  device: { id: string; password: string; division: string; datastream: string; topic: string; red_above: number; clear_below: number }
}

export function readDemo(): Demo {
  const file = process.env.ONEMAP_DEMO
  if (!file) throw new Error('ONEMAP_DEMO must name the demo.json of a running `onemap demo`')
  return JSON.parse(readFileSync(file, 'utf8')) as Demo
}

/** Logs a page's context in; the page itself goes where it is sent afterwards. */
export async function login(page: Page, demo: Demo, user: string): Promise<void> {
  const account = demo.accounts.find((a) => a.user === user)
  if (!account) throw new Error(`demo.json has no account ${user}`)
  const answer = await page.context().request.post(`${demo.http}/api/v1/session`, { data: { user, password: account.password } })
  if (!answer.ok()) throw new Error(`login of ${user}: ${answer.status()} ${await answer.text()}`)
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

/** Publishes one reading at QoS 1 over MQTT 3.1.1, as a device does; resolves at the PUBACK, when it is stored. */
export function publish(demo: Demo, value: number): Promise<void> {
  const { device } = demo
  const [host, port] = demo.mqtt.split(':') as [string, string]
  const flags = 0b1100_0010 // user name, password, clean session
  const hello = Buffer.concat([text('MQTT'), Buffer.from([4, flags, 0, 30]), text(device.id), text(device.id), text(device.password)])
  const reading = JSON.stringify({ t: new Date().toISOString(), v: { [device.datastream]: value } })
  const message = Buffer.concat([text(device.topic), Buffer.from([0, 1]), Buffer.from(reading)])
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
