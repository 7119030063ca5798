// publish.mjs URL OPTIONS TOPIC PAYLOAD…: publishes the payloads with QoS 0, 1, 2, 0, … by the npm
// client mqtt, which web/ui brings for the tests, and ends when all of them are acknowledged.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const mqtt = createRequire(new URL('../../../web/ui/package.json', import.meta.url))('mqtt')
const [url, options, topic, ...payloads] = process.argv.slice(2)
const o = JSON.parse(options)
for (const file of ['ca', 'cert', 'key']) if (o[file]) o[file] = readFileSync(o[file])
const client = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...o })
await Promise.all(payloads.map((p, i) => client.publishAsync(topic, p, { qos: i % 3 })))
await client.endAsync()
