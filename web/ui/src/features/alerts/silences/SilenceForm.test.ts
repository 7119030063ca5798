// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { DatastreamType } from '@/shared/api/types'
import { limits } from '@/shared/api/limits.gen'
import { useDevices } from '@/features/devices/devices'
import { useSession } from '@/shared/session/session'
import { aDevice, aMe, text } from '@/shared/testing/fixtures'
import { at, choose, labelOf, mount, newStores, press, seeFaults, submit, type, unmount } from '@/shared/testing/dom'
import { aServer, refusal } from '@/shared/testing/server'
import SilenceForm from './SilenceForm.vue'

beforeEach(() => {
  newStores()
  useSession().me = aMe()
  const devices = useDevices()
  devices.all = new Map([['D1', aDevice()]])
  devices.types = new Map([['water_level', { code: 'water_level', title: text('水位') } as DatastreamType]])
})
afterEach(unmount)

test('a silence needs a reason, and sends exactly what was chosen', async () => {
  const calls = aServer({ 'POST /api/v1/silences': { id: 1 }, 'GET /api/v1/divisions': { items: [] } })
  const made = vi.fn()
  await mount(SilenceForm, { onMade: made })
  expect([labelOf('silence-kind'), labelOf('silence-device'), at('silence-reason').maxLength]).toEqual(['类别', '设备', limits.NewSilence.reason.maxLength])
  expect(document.getElementById(at('silence-device').getAttribute('aria-controls')!)?.getAttribute('role')).toBe('listbox')
  expect(at('silence-device').hasAttribute('aria-activedescendant')).toBe(false)
  expect(at<HTMLButtonElement>('silence-save').disabled).toBe(true)
  await choose('silence-kind', 'maintenance')
  await choose('silence-level', 2)
  await type('silence-device', ' D1 ')
  await choose('silence-type', 'water_level')
  await press('silence-own')
  await type('silence-ends', '2030-01-02T08:30')
  await type('silence-reason', ' 检修 ')
  await submit('silence-form')
  await vi.waitFor(() => expect(made).toHaveBeenCalled())
  expect(calls.find((c) => c.method === 'POST')!.body).toEqual({
    kind: 'maintenance', level: 2, reason: '检修', device_id: 'D1', type: 'water_level', ends: '2030-01-02T00:30:00.000Z', // 08:30 in the city
  })
})

test('what the server refuses stands at its field', async () => {
  aServer({ 'POST /api/v1/silences': refusal(422, { errors: [{ field: 'ends', code: 'malformed' }, { field: 'level', code: 'required' }] }), 'GET /api/v1/divisions': { items: [] } })
  await mount(SilenceForm, { device: 'D1', deviceName: '甲站', level: 3 })
  expect(at('silence-level').dataset.value).toBe('3')
  await type('silence-reason', '检修')
  await submit('silence-form')
  await seeFaults({ level: '必填', ends: '格式不符合要求' })
})
