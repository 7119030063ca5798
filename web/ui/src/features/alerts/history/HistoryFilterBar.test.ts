// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { reactive } from 'vue'
import { limits } from '@/shared/api/limits.gen'
import { at, choose, labelOf, mount, newStores, offered, press, type, unmount } from '@/shared/testing/dom'
import { aServer } from '@/shared/testing/server'
import { anyAlert } from './historyfilter'
import HistoryFilterBar from './HistoryFilterBar.vue'

beforeEach(newStores)
afterEach(unmount)

test('each field of the filter has its label, keeps to the limits of the query, and fills in the filter', async () => {
  aServer({ 'GET /api/v1/divisions': { items: [] } })
  const filter = reactive({ ...anyAlert })
  const reset = vi.fn()
  await mount(HistoryFilterBar, { modelValue: filter, 'onUpdate:modelValue': reset })
  expect(['history-state', 'history-from', 'history-device'].map(labelOf)).toEqual(['状态', '自', '设备编号'])
  expect([at('history-device').maxLength, at('history-text').maxLength]).toEqual([limits.listAlerts.device.maxLength, limits.listAlerts.q.maxLength])
  expect([...offered('history-state')].sort()).toEqual([...limits.listAlerts.state.enum].sort())
  await choose('history-state', 'closed')
  await choose('history-peak', 1)
  await type('history-from', '2026-11-01T08:00')
  await type('history-to', '2026-10-01T08:00')
  await type('history-device', 'D1')
  expect(filter).toEqual({ ...anyAlert, state: 'closed', peak: '1', from: '2026-11-01T08:00', to: '2026-10-01T08:00', device: 'D1' })
  expect(document.querySelector('[role="alert"]')).not.toBeNull()
  await press('history-reset')
  expect(reset).toHaveBeenCalledWith(anyAlert)
})
