// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { DatastreamType } from '@/shared/api/types'
import { limits } from '@/shared/api/limits.gen'
import { aDevice, aStream, text } from '@/shared/testing/fixtures'
import { at, labelOf, mount, newStores, press, seeFaults, submit, type, unmount } from '@/shared/testing/dom'
import { aServer, refusal } from '@/shared/testing/server'
import { useDevices } from './devices'
import StewardSteps from './StewardSteps.vue'

const device = aDevice({ datastreams: [aStream(1, { name: 'level', title: text('水位'), interval_s: 60 })] })

beforeEach(() => {
  newStores()
  const devices = useDevices()
  devices.all = new Map([['D1', device]])
  devices.types = new Map([['water_level', { code: 'water_level', title: text('水位'), interval_s: 60 } as DatastreamType]])
})
afterEach(unmount)

test('a certificate: what the server refuses stands at the field, then its fingerprint is sent', async () => {
  let answer: unknown = refusal(422, { errors: [{ field: 'sha256', code: 'malformed' }] })
  const calls = aServer({ 'PUT /api/v1/devices/D1/certificate': () => answer })
  await mount(StewardSteps, { device })
  await press('steward-certificate')
  expect(at('steward-given').maxLength).toBe(limits.NewCertificate.pem.maxLength)
  await type('steward-given', ' nothing ')
  await submit('steward-form')
  await seeFaults({ given: '格式不符合要求' })
  answer = { sha256: 'abab', not_after: null }
  await submit('steward-form')
  await vi.waitFor(() => expect(at('steward-said').textContent).toContain('abab'))
  expect(calls[0]!.body).toEqual({ sha256: 'nothing' })
})

test('an interval: its limits, then exactly the body; empty is the default', async () => {
  const calls = aServer({ 'PATCH /api/v1/datastreams/1': { ...device.datastreams![0]!, interval_s: 7, stale_after_s: 30 } })
  await mount(StewardSteps, { device })
  const field = at('interval-level').querySelector('input')!
  field.dataset.testid = 'interval'
  expect([labelOf('interval'), field.placeholder, field.value]).toEqual(['水位', '60', ''])
  await type('interval', String(limits.DatastreamChange.interval_s.maximum + 1))
  await submit('interval-level')
  await vi.waitFor(() => expect(at('fault-interval_s').textContent).toContain('水位'))
  expect(calls).toEqual([])
  await type('interval', '7')
  await submit('interval-level')
  await vi.waitFor(() => expect(at('interval-said').textContent).toContain('7'))
  await type('interval', '')
  await submit('interval-level')
  await vi.waitFor(() => expect(calls.map((c) => c.body)).toEqual([{ interval_s: 7 }, { interval_s: null }]))
})
