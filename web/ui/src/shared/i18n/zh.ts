// All messages: each feature has its own, so that people who work on different pages do not meet in one file.

import app from '@/app/i18n/zh'
import about from '@/features/about/i18n/zh'
import accounts from '@/features/accounts/i18n/zh'
import alerts from '@/features/alerts/i18n/zh'
import devices from '@/features/devices/i18n/zh'
import ingest from '@/features/ingest/i18n/zh'
import layers from '@/features/layers/i18n/zh'
import map from '@/features/map/i18n/zh'
import phone from '@/features/phone/i18n/zh'
import rules from '@/features/rules/i18n/zh'
import common from './common/zh'
import faults from './faults/zh'

export default { ...common, ...faults, ...app, ...about, ...accounts, ...alerts, ...devices, ...ingest, ...layers, ...map, ...phone, ...rules } as const
