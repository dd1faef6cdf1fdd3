"""Every mistake in a rules file is found, once, at its place."""

# ruff: noqa: E501, RUF001 - the table has one line for each mistake, odd signs among them

import time

import pytest

from routing.problems import Problem, RulesError
from routing.reader import read

GOOD = """\
version: 1
timezone: America/New_York
transfer: {diversionTreatment: stack, ring: 20s}
dialing: {allow: [+1], deny: [+1900]}
destinations:
  desk: {transferTo: +19195550101, capacity: 2}
  ana: {transferTo: +19195550102, capacity: 1, person: ana}
  bo: +19195550103
callers:
  vip: [+14155550123, +1212*]
calendars:
  us: {country: US}
schedules:
  office:
    hours: {mon-fri: 09:00-17:00}
    except:
      - {dates: us, hours: closed}
lines:
  main:
    numbers: [+19195551000, +19195551001]
    rules:
      - name: closed
        when: {outside: office, notFrom: vip}
        transferTo: bo
      - name: busy
        when: {busy: desk}
        transferTo: ana
        onBusy: {transferTo: bo}
    otherwise: {transferTo: desk}
emergency: {transferTo: bo}
expect:
  - {at: 2026-03-09T09:00, to: main, rings: [desk]}
"""
HOURS = "hours: {mon-fri: 09:00-17:00}"
DATES = "dates: us"
WHEN = "when: {busy: desk}"
LINE = "lines.main"
RULE = "lines.main.rules[1]"
BUSY = f"{WHEN}\n        transferTo: ana\n        onBusy: {{transferTo: bo}}"
EXPECT = "{at: 2026-03-09T09:00, to: main, rings: [desk]}"
MONDAY = "schedules.office.hours.mon-fri"
DAYS = "schedules.office.except[0].dates"


def recurrence(rule: str, word: str) -> tuple[str, ...]:
    return (DATES, f"dates: «{rule}", DAYS, "bad-recurrence", word)


# what is there, what is written instead with « where the error is, path, code, part of the message
# fmt: off
MISTAKES = [
    # what follows from a mistake is not a mistake of its own
    ("destinations:", "«destination:", "destination", "unknown-key", "did you mean 'destinations'"),
    ("timezone: America/New_York", "«timezon: America/New_York", "timezon", "unknown-key", "timezone"),
    ("timezone: America/New_York\n", "", "timezone", "missing-key", "America/New_York"),
    ("schedules:", "«schedule:", "schedule", "unknown-key", "did you mean 'schedules'"),
    ("capacity: 2", "«capcity: 2", "destinations.desk.capcity", "unknown-key", "did you mean 'capacity'"),
    ("rings: [desk]}", "rings: [desk]}\n  - {to: main, presence: {ana: dnd}, rule: closed}\n«zz: 1", "zz", "unknown-key", "there are"),
    ("+19195550102,", "«x,", "destinations.ana.transferTo", "bad-number", "E.164"),
    ("    otherwise: {t", "    «otherwis: {t", f"{LINE}.otherwis", "unknown-key", "did you mean 'otherwise'"),
    ("onBusy: {transferTo: bo}", "onBusy: {«transferto: bo}", f"{RULE}.onBusy.transferto", "unknown-key", "did you mean 'transferTo'"),
    # sections and the version
    ("version: 1", "version: «2", "version", "unknown-value", "version: 1"),
    ("version: 1", "version: «1.0", "version", "unknown-value", "version: 1"),
    ("callers:", "«caller: {a: +1*}\ncallers:", "caller", "unknown-key", "did you mean 'callers'"),
    ("callers:", "«zzz: 1\ncallers:", "zzz", "unknown-key", "there are version, timezone"),
    ("emergency: {transferTo: bo}\n", "", "emergency", "missing-key", "emergency"),
    ("timezone: America", "timezone: «Amerika", "timezone", "unknown-timezone", "did you mean"),
    ("timezone: America/New_York", "timezone: «Q", "timezone", "unknown-timezone", "'Q'"),
    ("timezone: America/New_York", "timezone: «America", "timezone", "unknown-timezone", "IANA"),
    ("timezone: America/New_York", "timezone: «[UTC]", "timezone", "not-a-value", "a list"),
    ("timezone: America/New_York", "timezone:« ", "timezone", "missing-value", "IANA"),
    ("timezone: America/New_York", "timezone: «~", "timezone", "missing-value", "IANA"),
    ("emergency: {transferTo: bo}", "emergency: «boo", "emergency", "unknown-name", "did you mean 'bo'"),
    ("emergency: {transferTo: bo}", "emergency:« ", "emergency", "missing-value", "destination"),
    ("emergency: {transferTo: bo}", "emergency: [bo, «dsk]", "emergency[1]", "unknown-name", "did you mean 'desk'"),
    ("emergency: {transferTo: bo}", "emergency: [bo, «bo]", "emergency[1]", "repeated-destination", "bo"),
    ("emergency: {transferTo: bo}", "emergency: [bo, «[desk]]", "emergency[1]", "not-a-value", "list"),
    ("emergency: {transferTo: bo}", "emergency: «[]", "emergency", "empty-list", "empty"),
    ("emergency: {transferTo: bo}", "emergency: «+442079460000", "emergency", "dialing-forbidden", "+44"),
    ("emergency: {transferTo: bo}", "emergency: {announce: «'{nme}'}", "emergency.announce", "unknown-placeholder", "{line}"),
    ("emergency: {transferTo: bo}", "emergency: {announce: «https://example.com/a.mp3}", "emergency.announce", "spoken-address", "fileUrl: https://example.com/a.mp3"),
    ("emergency: {transferTo: bo}", "emergency: {announce: «[Hello]}", "emergency.announce", "not-a-mapping", "list"),
    ("  us: {country: US}", "  «us: {}", "calendars.us", "missing-key", "country"),
    # transfer parameters
    ("ring: 20s", "ring: «20x", "transfer.ring", "bad-duration", "1m30s"),
    ("ring: 20s", "ring: «0", "transfer.ring", "bad-ring", "1 to 300"),
    ("ring: 20s", "ring: «301s", "transfer.ring", "bad-ring", "1 to 300"),
    ("ring: 20s", "ring: «5m1s", "transfer.ring", "bad-ring", "1 to 300"),
    ("ring: 20s", "ring: «-5", "transfer.ring", "bad-duration", "-5"),
    ("ring: 20s", "ring: «2٣", "transfer.ring", "bad-duration", "1m30s"),
    ("ring: 20s", "ring: «1.5m", "transfer.ring", "bad-duration", "1m30s"),
    ("ring: 20s", "ring: «{a: b}", "transfer.ring", "not-a-value", "mapping"),
    ("ring: 20s", "«rings: 20s", "transfer.rings", "unknown-key", "did you mean 'ring'"),
    ("ring: 20s", "«transferto: bo", "transfer.transferto", "unknown-key", "transferto"),
    (EXPECT, "{to: main, rule: «bussy}", "expect[0].rule", "unknown-name", "did you mean 'busy'"),
    ("stack,", "«stak,", "transfer.diversionTreatment", "unknown-value", "did you mean 'stack'"),
    ("ring: 20s", "diversionReason: «bsy", "transfer.diversionReason", "unknown-value", "user-busy"),
    ("ring: 20s", "recordingEnabled: «maybe", "transfer.recordingEnabled", "unknown-value", "true"),
    ("ring: 20s", "recordingFileFormat: «ogg", "transfer.recordingFileFormat", "unknown-value", "wav"),
    ("ring: 20s", "transferCallerId: «calle", "transfer.transferCallerId", "unknown-value", "did you"),
    ("ring: 20s", "transferCallerId: «+0123", "transfer.transferCallerId", "bad-number", "E.164"),
    ("ring: 20s", "transferCallerId: «+1919", "transfer.transferCallerId", "bad-number", "short"),
    ("ring: 20s", "transferCallerId: «sip:a@b.example", "transfer.transferCallerId", "unknown-value", "own"),
    ("ring: 20s", "«whisperAudio: {}", "transfer.whisperAudio", "missing-key", "sentence"),
    ("ring: 20s", "whisperAudio: «hello", "transfer.whisperAudio", "not-a-mapping", "keys and values"),
    ("ring: 20s", "«whisperAudio: {voice: julie}", "transfer.whisperAudio", "missing-key", "sentence"),
    ("ring: 20s", "whisperAudio: {fileUrl: «ftp://a/b}", "transfer.whisperAudio.fileUrl", "unknown-value", "URL"),
    ("ring: 20s", "whisperAudio: {sentence: «'{nme}'}", "transfer.whisperAudio.sentence", "unknown-placeholder", "{line}"),
    ("ring: 20s", "whisperAudio: {sentence: «'{the line}'}", "transfer.whisperAudio.sentence", "unknown-placeholder", "{line}"),
    ("ring: 20s", f"whisperAudio: {{sentence: «{'a' * 1001}}}", "transfer.whisperAudio.sentence", "unknown-value", "1000"),
    ("ring: 20s", "whisperAudio: {sentence: hi, voice: «juli}", "transfer.whisperAudio.voice", "unknown-value", "did you mean 'julie'"),
    ("ring: 20s", "whisperAudio: {sentence: hi, locale: en_UK, voice: «paul}", "transfer.whisperAudio.voice", "unknown-value", "does not speak en_UK"),
    ("ring: 20s", "whisperAudio: {sentence: hi, gender: «x}", "transfer.whisperAudio.gender", "unknown-value", "female"),
    ("ring: 20s", "whisperAudio: {sentence: hi, locale: «xx}", "transfer.whisperAudio.locale", "unknown-value", "en_US"),
    ("ring: 20s", "whisperAudio: {sentence: Hello, «you there}", "transfer.whisperAudio.you there", "split-value", "comma"),
    # dialing
    ("allow: [+1]", "allow: [«1]", "dialing.allow[0]", "bad-prefix", "+1900"),
    ("allow: [+1]", "allow: [+44, «+1*]", "dialing.allow[1]", "bad-prefix", "+1*"),
    ("allow: [+1]", "allow: «[]", "dialing.allow", "empty-list", "empty"),
    ("bo: +19195550103", "bo: «+19005550103", "destinations.bo", "dialing-forbidden", "+1900"),
    ("bo: +19195550103", "bo: «+442079460000", "destinations.bo", "dialing-forbidden", "dialing.allow"),
    ("otherwise: {transferTo: desk}", "otherwise: {transferTo: «+442079460000}", "lines.main.otherwise.transferTo", "dialing-forbidden", "+44"),
    # destinations
    ("+19195550101,", "«9195550101,", "destinations.desk.transferTo", "bad-number", "E.164"),
    ("+19195550101,", "«+1919555010,", "destinations.desk.transferTo", "bad-number", "too short"),
    ("+19195550101,", "«+191955501012,", "destinations.desk.transferTo", "bad-number", "too long"),
    ("+19195550101,", "«+99919555010,", "destinations.desk.transferTo", "bad-number", "country code"),
    ("+19195550101,", "«919-555-0101,", "destinations.desk.transferTo", "bad-number", "write it as +19195550101"),
    ("+19195550101,", "«1-919-555-0101,", "destinations.desk.transferTo", "bad-number", "write it as +19195550101"),
    ("+19195550101,", "«44 20 7946 0018,", "destinations.desk.transferTo", "bad-number", "write it as +442079460018"),
    ("notFrom: vip", "notFrom: «Anonymous", "lines.main.rules[0].when.notFrom", "unknown-name", "did you mean 'anonymous'"),
    ("+19195550101,", "«+1 (919) 555-010,", "destinations.desk.transferTo", "bad-number", "+1919555010 is too short"),
    ("+19195550101,", "«sips:a@b.example,", "destinations.desk.transferTo", "bad-sip-uri", "sips"),
    ("+19195550101,", "«sip:example.com,", "destinations.desk.transferTo", "bad-sip-uri", "sip:user@host"),
    ("+19195550101,", "«bob@example.com,", "destinations.desk.transferTo", "bad-sip-uri", "sip:user@host"),
    ("+19195550101,", "«ana,", "destinations.desk.transferTo", "bad-number", "'ana'"),
    ("  desk: {transferTo: +19195550101, capacity: 2}", "  «desk: {capacity: 2}", "destinations.desk", "missing-key", "transferTo"),
    ("capacity: 2", "capacity: «0", "destinations.desk.capacity", "bad-number", "whole number"),
    ("capacity: 2", "capacity: «two", "destinations.desk.capacity", "bad-number", "whole number"),
    ("capacity: 2", "capacity: «1.5", "destinations.desk.capacity", "bad-number", "whole number"),
    ("capacity: 2", "capacity: «-1", "destinations.desk.capacity", "bad-number", "whole number"),
    ("capacity: 2", "capacity: 2, «capcity: 3", "destinations.desk.capcity", "unknown-key", "did you mean 'capacity'"),
    ("capacity: 2", "capacity: 2, «capacity: 3", "destinations.desk.capacity", "duplicate-key", "line 6"),
    ("person: ana", "person:« ", "destinations.ana.person", "missing-value", "nothing"),
    ("  bo: +19195550103", "  bo: +19195550103\n  «+19195550109: +19195550109", "destinations.+19195550109", "bad-name", "number"),
    ("  bo: +19195550103", "  bo: +19195550103\n  «'': +19195550109", "destinations", "empty-name", "empty"),
    ("  bo: +19195550103", "  bo: +19195550103\n  «bo: +19195550109", "destinations.bo", "duplicate-key", "line 8"),
    ("bo: +19195550103", "bo: «[+19195550103]", "destinations.bo", "not-a-mapping", "list"),
    # callers
    ("+14155550123,", "«14155550123,", "callers.vip[0]", "bad-number", "+14155550123"),
    ("+1212*]", "«+1-212**]", "callers.vip[1]", "bad-prefix", "+1900"),
    ("+1212*]", "«1212*]", "callers.vip[1]", "bad-caller", "1212*"),
    ("+1212*]", "«sip:*@]", "callers.vip[1]", "bad-sip-uri", "sip:*@example.com"),
    ("+1212*]", "«anonymus]", "callers.vip[1]", "bad-caller", "did you mean 'anonymous'"),
    ("+1212*]", "+1212*]\n  empty: «[]", "callers.empty", "empty-list", "empty"),
    ("+1212*]", "+1212*]\n  «anonymous: [+1213*]", "callers.anonymous", "bad-name", "a caller itself"),
    ("notFrom: vip", "notFrom: «vips", "lines.main.rules[0].when.notFrom", "unknown-name", "did you mean 'vip'"),
    ("notFrom: vip", "notFrom: [vip, «+1]", "lines.main.rules[0].when.notFrom[1]", "bad-number", "+1"),
    # calendars and dates
    ("country: US", "country: «QQ", "calendars.us.country", "unknown-country", "QQ"),
    ("country: US", "country: US, subdivision: «QQ", "calendars.us.subdivision", "unknown-subdivision", "QQ"),
    ("country: US", "country: US, categories: «dark", "calendars.us.categories", "unknown-category", "public"),
    ("us: {country: US}", "«us: [us]", "calendars.us", "calendar-loop", "itself"),
    ("us: {country: US}", "us: [«uss]", "calendars.us[0]", "unknown-name", "did you mean 'us'"),
    ("us: {country: US}", "us: «[]", "calendars.us", "empty-list", "empty"),
    ("  us: {country: US}", "  us: {country: US}\n  «07-04: {country: DE}", "calendars.07-04", "bad-name", "date"),
    (DATES, "dates: «uss", DAYS, "unknown-name", "did you mean 'us'"),
    (DATES, "dates: «2026-13-01", DAYS, "bad-date", "2026-12-31"),
    (DATES, "dates: «2026-02-29", DAYS, "bad-date", "2026-12-31"),
    (DATES, "dates: «2027-01-02..2026-12-24", DAYS, "bad-date", "before"),
    (DATES, "dates: «2026-12-24..01-02", DAYS, "bad-date", "01-02"),
    (DATES, "dates: «12-24..13-02", DAYS, "bad-date", "13-02"),
    (DATES, "dates: «12-24..easter", DAYS, "bad-date", "alike"),
    (DATES, "dates: «12-24..", DAYS, "bad-date", "alike"),
    (DATES, "dates: «easter+1..easter-2", DAYS, "bad-date", "ends before"),
    (DATES, "dates: «easter..orthodox-easter", DAYS, "bad-date", "alike"),
    (DATES, "dates: «easter+201", DAYS, "bad-date", "easter+200"),
    (DATES, "dates: «Easter Monday", DAYS, "bad-date", "easter-2"),
    (DATES, "dates: «12-24 - 01-02", DAYS, "bad-date", "12-24..01-02"),
    ("  us: {country: US}", "  us: {country: US}\n  «easter: {country: DE}", "calendars.easter", "bad-name", "date"),
    ("us: {country: US}", "us: {country: US, only: Labor Day, «without: Columbus Day}", "calendars.us.without", "misplaced-key", "only"),
    ("us: {country: US}", "us: {country: US, without: «Colombus Day}", "calendars.us.without", "unknown-holiday", "did you mean 'Columbus Day'? it has New Year's Day, "),
    ("us: {country: US}", "us: {country: US, only: [Labor Day, «Xmas]}", "calendars.us.only[1]", "unknown-holiday", "Christmas Day"),
    ("us: {country: US}", "us: {country: US, only: «Good Friday}", "calendars.us.only", "unknown-holiday", "CT has it: add `subdivision: CT`"),
    ("us: {country: US}", "us: {country: US, without: «12-32}", "calendars.us.without", "bad-date", "12-32"),
    ("us: {country: US}", "us: {country: US, without: «[]}", "calendars.us.without", "empty-list", "empty"),
    ("us: {country: US}", "us: {country: US, without: [«{a: b}]}", "calendars.us.without[0]", "not-a-value", "holiday"),
    ("us: {country: US}", "us: [12-24, {country: «QQ}]", "calendars.us[1].country", "unknown-country", "QQ"),
    (DATES, "dates: [us, {«county: US}]", f"{DAYS}[1].county", "unknown-key", "did you mean 'country'"),
    (DATES, "dates: «13-01", DAYS, "bad-date", "07-04"),
    (DATES, "dates: «02-30", DAYS, "bad-date", "07-04"),
    (DATES, "dates: «7-4", DAYS, "bad-date", "07-04"),
    (DATES, "dates: [us, «7-4]", f"{DAYS}[1]", "bad-date", "07-04"),
    recurrence("FREQ=WEEKLY;BYDAY=1MO", "FREQ=MONTHLY"),
    # schedules
    (HOURS, "hours: {«mon-fry: 09:00-17:00}", "schedules.office.hours.mon-fry", "bad-day", "fry"),
    (HOURS, "hours: {«mon-wed-fri: 09:00-17:00}", "schedules.office.hours.mon-wed-fri", "bad-day", "range"),
    (HOURS, "hours: {mon-fri: 09:00-17:00, «wed: 10:00-11:00}", "schedules.office.hours.wed", "repeated-day", "wed"),
    (HOURS, "hours: {mon-fri: 09:00-12:00, «13:00-17:00}", "schedules.office.hours.13:00-17:00", "split-value", 'write `mon-fri: "09:00-12:00, 13:00-17:00"`'),
    (HOURS, "hours: {mon-fri: «09:00}", MONDAY, "bad-window", "09:00-17:00"),
    (HOURS, "hours: {mon-fri: «9am-5pm}", MONDAY, "bad-time", "9am"),
    (HOURS, "hours: {mon-fri: «09:00-25:00}", MONDAY, "bad-time", "25:00"),
    (HOURS, "hours: {mon-fri: «09:00-24:01}", MONDAY, "bad-time", "24:01"),
    (HOURS, "hours: {mon-fri: «09:60-17:00}", MONDAY, "bad-time", "09:60"),
    (HOURS, "hours: {mon-fri: «24:00-06:00}", MONDAY, "bad-window", "24:00"),
    (HOURS, "hours: {mon-fri: ['09:00-12:00', «12-13]}", f"{MONDAY}[1]", "bad-time", "'12'"),
    (HOURS, "hours: {mon-fri: «[]}", MONDAY, "empty-list", "empty"),
    (HOURS, "hours: {mon-fri: «opened}", MONDAY, "bad-window", "open"),
    (HOURS, "hours: «{}", "schedules.office.hours", "empty-mapping", "empty"),
    (HOURS, "hours: «09:00-17:00", "schedules.office.hours", "not-a-mapping", "write {mon-sun: 09:00-17:00}"),
    (HOURS, f"{HOURS}\n    timezone: «Mars", "schedules.office.timezone", "unknown-timezone", "Mars"),
    (", hours: closed", ", hours: «shut", "schedules.office.except[0].hours", "bad-window", "closed"),
    (", hours: closed", ", hours: 10:00-12:00, «13:00-14:00", "schedules.office.except[0].13:00-14:00", "split-value", "comma"),
    ("- {dates: us, hours: closed}", "- «{dates: us}", "schedules.office.except[0]", "missing-key", "hours"),
    ("- {dates: us, hours: closed}", "- «{hours: closed}", "schedules.office.except[0]", "missing-key", "dates"),
    (", hours: closed", ", hours: 10:00-14:00, «until: 12:00", "schedules.office.except[0].until", "misplaced-key", "beside `hours`"),
    (", hours: closed", ", until: «noon", "schedules.office.except[0].until", "bad-time", "write 12:00"),
    (", hours: closed", ", until: «24:01", "schedules.office.except[0].until", "bad-time", "24:00"),
    (", hours: closed", ", until: «12", "schedules.office.except[0].until", "bad-time", "write 12:00"),
    ("- {dates: us, hours: closed}", "- «{dates: us, from: 24:00}", "schedules.office.except[0]", "bad-time", "24:00"),
    ("- {dates: us, hours: closed}", "- «{dates: us, from: 12:00, until: 12:00}", "schedules.office.except[0]", "bad-window", "same time"),
    (", hours: closed", ", hours: {«mon-fry: closed}", "schedules.office.except[0].hours.mon-fry", "bad-day", "fry"),
    (", hours: closed", ", hours: {mon: closed, «mon: open}", "schedules.office.except[0].hours.mon", "duplicate-key", "line"),
    (", hours: closed", ", hours: closed, days: «weekdays", "schedules.office.except[0].days", "bad-day", "write mon-fri"),
    (", hours: closed", ", hours: closed, within: «uss", "schedules.office.except[0].within", "unknown-name", "did you mean 'us'"),
    (HOURS, f"{HOURS}\n    like: «offic", "schedules.office.like", "unknown-name", "did you mean 'office'"),
    (HOURS, f"{HOURS}\n    like: «office", "schedules.office.like", "schedule-loop", "itself"),
    ("lines:", "  «lunch: {like: office}\nlines:", "schedules.lunch", "missing-key", "hours"),
    ("- {dates: us, hours: closed}", "- «us", "schedules.office.except[0]", "not-a-mapping", "exception"),
    # lines
    ("+19195551001]", "«+19195551000]", "lines.main.numbers[1]", "repeated-number", "twice"),
    ("+19195551001]", "«main]", "lines.main.numbers[1]", "bad-number", "main"),
    ("    numbers: [+19195551000, +19195551001]\n", "", LINE, "missing-key", "numbers"),
    ("[+19195551000, +19195551001]", "«[]", "lines.main.numbers", "empty-list", "empty"),
    ("    otherwise: {transferTo: desk}\n", "", LINE, "missing-key", "otherwise"),
    ("emergency:", "  two: {numbers: «+19195551000, otherwise: {reject: true}}\nemergency:", "lines.two.numbers", "repeated-number", "'main'"),
    ("emergency:", "  «+1919: {numbers: +19195551009, otherwise: {reject: true}}\nemergency:", "lines.+1919", "bad-name", "number"),
    ("otherwise: {", "«otherwse: {reject: true}\n    otherwise: {", f"{LINE}.otherwse", "unknown-key", "did you mean 'otherwise'"),
    # rules
    ("name: busy", "name: «closed", f"{RULE}.name", "repeated-name", "line 22"),
    ("name: busy", "name: «otherwise", f"{RULE}.name", "bad-name", "taken"),
    ("name: busy\n        when", "«nme: busy\n        when", f"{RULE}.nme", "unknown-key", "did you mean 'name'"),
    ("transferTo: ana", "transferTo: «anna", f"{RULE}.transferTo", "unknown-name", "did you mean 'ana'"),
    ("transferTo: ana", "transferTo: [bo, «anna]", f"{RULE}.transferTo[1]", "unknown-name", "did you mean 'ana'"),
    ("transferTo: ana", "transferTo: [bo, desk, «bo]", f"{RULE}.transferTo[2]", "repeated-destination", "bo"),
    ("transferTo: ana", "transferTo: «[]", f"{RULE}.transferTo", "empty-list", "empty"),
    ("transferTo: ana", "transferTo: ana\n        «reject: true", RULE, "several-actions", "transferTo and reject"),
    ("transferTo: ana", "reject: «false", f"{RULE}.reject", "unknown-value", "true"),
    ("transferTo: ana", "reject: true\n        «ring: 20s", f"{RULE}.ring", "misplaced-key", "reject"),
    ("transferTo: ana", "followMe: [{transferTo: ana}]\n        «ring: 20s", f"{RULE}.ring", "misplaced-key", "steps"),
    ("transferTo: ana", "followMe: «[]", f"{RULE}.followMe", "empty-list", "empty"),
    ("transferTo: ana", "followMe: [«{ring: 5}]", f"{RULE}.followMe[0]", "missing-key", "transferTo"),
    ("transferTo: ana", "followMe: [bo, «anna]", f"{RULE}.followMe[1]", "unknown-name", "did you mean 'ana'"),
    ("transferTo: ana", "followMe: «anna", f"{RULE}.followMe", "unknown-name", "did you mean 'ana'"),
    ("transferTo: ana", "followMe: [bo, [ana, «anna]]", f"{RULE}.followMe[1][1]", "unknown-name", "did you mean 'ana'"),
    ("transferTo: ana", "followMe: [{transferTo: «anna}]", f"{RULE}.followMe[0].transferTo", "unknown-name", "ana"),
    ("transferTo: ana", "followMe: [{transferTo: ana, «reject: true}]", f"{RULE}.followMe[0].reject", "unknown-key", "a step"),
    ("transferTo: ana", "«announce: {voice: julie}", f"{RULE}.announce", "missing-key", "sentence"),
    ("transferTo: ana", "announce: {sentence: «''}", f"{RULE}.announce.sentence", "missing-value", "sentence"),
    ("        transferTo: ana\n", "", RULE, "missing-action", "transferTo, followMe"),
    ("onBusy: {transferTo: bo}", "«onBusy: {ring: 5}", f"{RULE}.onBusy", "missing-action", "transferTo"),
    ("onBusy: {transferTo: bo}", "«onbusy: {transferTo: bo}", f"{RULE}.onbusy", "unknown-key", "did you mean 'onBusy'"),
    ("onBusy: {transferTo: bo}", "onBusy: {transferTo: bo, «onBusy: {reject: true}}", f"{RULE}.onBusy.onBusy", "unknown-key", "onBusy"),
    # conditions
    (WHEN, "when: {«bsy: desk}", f"{RULE}.when.bsy", "unknown-key", "did you mean 'busy'"),
    (WHEN, "when: {busy: «dek}", f"{RULE}.when.busy", "unknown-name", "did you mean 'desk'"),
    (WHEN, "when: {busy: [desk, «bo]}", f"{RULE}.when.busy[1]", "never-busy", "capacity"),
    (WHEN, "when: {busy: «[]}", f"{RULE}.when.busy", "empty-list", "empty"),
    (WHEN, "«when: {}", f"{RULE}.when", "empty-mapping", "condition"),
    (WHEN, "when:«", f"{RULE}.when", "not-a-mapping", "nothing is written"),
    (WHEN, "when: {during: «offce}", f"{RULE}.when.during", "unknown-name", "did you mean 'office'"),
    (WHEN, "when: {weekday: «monday}", f"{RULE}.when.weekday", "bad-day", "write mon"),
    (WHEN, "when: {weekday: [mon, «fry]}", f"{RULE}.when.weekday[1]", "bad-day", "'fry'"),
    (WHEN, "when: {weekday: «[mon, tue-thu, wed]}", f"{RULE}.when.weekday", "repeated-day", "wed"),
    (WHEN, "when: {weekday: «[]}", f"{RULE}.when.weekday", "empty-list", "empty"),
    (WHEN, "when: {from: «[]}", f"{RULE}.when.from", "empty-list", "empty"),
    (WHEN, "when: {presence: {«anna: dnd}}", f"{RULE}.when.presence.anna", "unknown-name", "did you mean 'ana'"),
    (WHEN, "when: {presence: {ana: «dns}}", f"{RULE}.when.presence.ana", "unknown-value", "did you mean 'dnd'"),
    (WHEN, "when: {presence: {ana: [dnd, «asleep]}}", f"{RULE}.when.presence.ana[1]", "unknown-value", "away"),
    (WHEN, "when: {presence: «dnd}", f"{RULE}.when.presence", "not-a-mapping", "persons"),
    (WHEN, "when: {presence: «{}}", f"{RULE}.when.presence", "empty-mapping", "persons"),
    (WHEN, "when: {diverted: «busy}", f"{RULE}.when.diverted", "unknown-value", "user-busy"),
    (WHEN, "when: {«not: {}}", f"{RULE}.when.not", "empty-mapping", "condition"),
    (WHEN, "when: {not: {not: {busy: «bo}}}", f"{RULE}.when.not.not.busy", "never-busy", "bo"),
    (WHEN, "when: {not: «[{busy: desk}]}", f"{RULE}.when.not", "not-a-mapping", "list"),
    # expect
    (EXPECT, "{at: «2026-03-09, to: main, rings: [desk]}", "expect[0].at", "bad-time", "2026-03-09T09:00"),
    (EXPECT, "{at: «2026-03-08T02:30, to: main, rings: [desk]}", "expect[0].at", "bad-time", "skip"),
    (EXPECT, "{at: «0001-01-01T00:00, to: main, rings: [desk]}", "expect[0].at", "bad-time", "year"),
    (EXPECT, "{at: «9999-12-31T23:59, to: main, rings: [desk]}", "expect[0].at", "bad-time", "year"),
    (EXPECT, "{at: «2026-02-30T10:00, to: main, rings: [desk]}", "expect[0].at", "bad-time", "2026-03-09T09:00"),
    (EXPECT, "{to: «mian, rings: [desk]}", "expect[0].to", "unknown-name", "did you mean 'main'"),
    (EXPECT, "«{rings: [desk]}", "expect[0]", "missing-key", "to"),
    (EXPECT, "«{to: main}", "expect[0]", "no-expectation", "rings"),
    (EXPECT, "{to: main, rule:« }", "expect[0].rule", "missing-value", "nothing"),
    (EXPECT, "{to: main, rule: «bsy}", "expect[0].rule", "unknown-name", "did you mean 'busy'"),
    (EXPECT, "{to: main, rings: «dek}", "expect[0].rings", "unknown-name", "did you mean 'desk'"),
    (EXPECT, "{to: main, rings: [[bo, «dek]]}", "expect[0].rings[0][1]", "unknown-name", "did you mean 'desk'"),
    (EXPECT, "{to: main, rings: «[]}", "expect[0].rings", "empty-list", "empty"),
    (EXPECT, "{to: main, from: «1234567, rings: [desk]}", "expect[0].from", "bad-number", "E.164"),
    (EXPECT, "{to: main, busy: «bo, rings: [desk]}", "expect[0].busy", "never-busy", "bo"),
    (EXPECT, "{to: main, presence: {«bo: dnd}, rings: [desk]}", "expect[0].presence.bo", "unknown-name", "person"),
    (EXPECT, "{to: main, presence: {ana: «[dnd, away]}, rings: [desk]}", "expect[0].presence.ana", "several-states", "one state"),
    (EXPECT, "{to: main, overrides: {«offic: open}, rings: [desk]}", "expect[0].overrides.offic", "unknown-name", "did you mean 'office'"),
    (EXPECT, "{to: main, overrides: {office: «shut}, rings: [desk]}", "expect[0].overrides.office", "unknown-value", "closed"),
    (EXPECT, "{to: main, outcomes: [busy, «no-anser], rings: [desk]}", "expect[0].outcomes[1]", "unknown-value", "did you mean 'no-answer'"),
    (EXPECT, "{to: main, diversionReason: «bsy}", "expect[0].diversionReason", "unknown-value", "user-busy"),
    (EXPECT, "{to: main, transferTo: «dek}", "expect[0].transferTo", "unknown-name", "did you mean 'desk'"),
    (EXPECT, "{to: main, rejects: «no}", "expect[0].rejects", "unknown-value", "true"),
    (EXPECT, "{to: main, «ring: [desk]}", "expect[0].ring", "unknown-key", "did you mean 'rings'"),
    (EXPECT, "«main", "expect[0]", "not-a-mapping", "expectation"),
    # YAML
    ("person: ana", "person: «!name ana", "destinations.ana.person", "tag", "remove"),
    ("bo: +19195550103", "bo: {«<<: {}, transferTo: +19195550103}", "destinations.bo.<<", "merge-key", "write the keys out"),
    ("bo: +19195550103", "bo: {«<<: {transferTo: +19195550103}}", "destinations.bo.<<", "merge-key", "write the keys out"),
    (HOURS, "hours: {«<<: {mon: 09:00-10:00}}", "schedules.office.hours.<<", "merge-key", "write the keys out"),
    ("destinations:\n", "destinations:\n  «<<: {a: +19195550107}\n", "destinations.<<", "merge-key", "write"),
    ("bo: +19195550103", "bo: {transferTo: +19195550103, «'<<': 2}", "destinations.bo.<<", "unknown-key", "<<"),
    # slips that leave the text YAML
    ("otherwise: {transferTo: desk}", "otherwise: {«transferTo:desk}", f"{LINE}.otherwise.transferTo", "missing-blank", "write `transferTo: desk`"),
    ("otherwise: {transferTo: desk}", "otherwise: {«transferTo :desk}", f"{LINE}.otherwise.transferTo", "missing-blank", "write `transferTo: desk`"),
    ("otherwise: {transferTo: desk}", "otherwise: «transferTo:desk", f"{LINE}.otherwise", "missing-blank", "write `transferTo: desk`"),
    ("otherwise: {transferTo: desk}", "«otherwise:{transferTo: desk}", f"{LINE}.otherwise", "missing-blank", "write `otherwise: {transferTo: desk}`"),
    ("otherwise: {transferTo: desk}", "«otherwise {transferTo: desk}", f"{LINE}.otherwise", "missing-blank", "a colon is missing"),
    ("emergency: {transferTo: bo}", "«emergency:{transferTo: bo}", "emergency", "missing-blank", "write `emergency: {transferTo: bo}`"),
    ("capacity: 2", "«capacity=2", "destinations.desk.capacity", "missing-blank", "write `capacity: 2`"),
    ("capacity: 2", "«capacity 2", "destinations.desk.capacity", "missing-blank", "write `capacity: 2`"),
    ("capacity: 2", "«capacity：2", "destinations.desk.capacity", "missing-blank", "write `capacity: 2`"),
    ("ring: 20s", "whisperAudio: {sentence: Good day, «dear, all}", "transfer.whisperAudio.dear", "split-value", 'write `sentence: "Good day, dear, all"`'),
    ("ring: 20s", "whisperAudio: {sentence: “Good day, «all”}", "transfer.whisperAudio.all”", "split-value", 'write `sentence: "Good day, all"`'),
    ("ring: 20s", "whisperAudio: {sentence: «“Good day”}", "transfer.whisperAudio.sentence", "curly-quote", 'a left double quotation mark (U+201C) is no quotation mark for YAML; write "Good day"'),
    ("transferTo: ana", "transferTo: «’ana’", f"{RULE}.transferTo", "curly-quote", 'write "ana"'),
    ("otherwise: {transferTo: desk}", "otherwise: «reject", f"{LINE}.otherwise", "unknown-name", "write {reject: true}"),
    ("otherwise: {transferTo: desk}", "otherwise: «[{transferTo: desk}, {transferTo: bo}]", f"{LINE}.otherwise", "not-a-value", "followMe"),
    ("otherwise: {transferTo: desk}", "otherwise: «-desk", f"{LINE}.otherwise", "unknown-name", "did you mean 'desk'"),
    ("otherwise: {transferTo: desk}", "otherwise: «&desk", f"{LINE}.otherwise", "unknown-name", "did you mean 'desk'"),
    ("otherwise: {transferTo: desk}", "otherwise: «!desk x", f"{LINE}.otherwise", "tag", "put the value in quotes"),
    ("  - {at", "  «{at", "expect", "not-a-list", "begin each with a dash and a blank"),
    ("    hours: {mon-fri: 09:00-17:00}\n    except:", "    hours:\n      «- mon-fri: 09:00-17:00\n    except:", "schedules.office.hours", "not-a-mapping", "leave out the dashes"),
    ("callers:\n  vip: [+14155550123, +1212*]", "callers:\n  «- vip: [+14155550123, +1212*]", "callers", "not-a-mapping", "leave out the dashes"),
    (HOURS, "«mon-fri: 09:00-17:00\n    sat: 10:00-14:00", "schedules.office.mon-fri", "misplaced-key", "write `hours:` above them"),
    (WHEN, "when: «busy desk", f"{RULE}.when", "missing-blank", "write {busy: desk}"),
    (WHEN, "when: {presence: «ana = dnd}", f"{RULE}.when.presence", "missing-blank", "write {ana: dnd}"),
    (WHEN, "when: «always", f"{RULE}.when", "not-a-mapping", "during, outside, weekday, from"),
    (WHEN, "«if: {busy: desk}", f"{RULE}.if", "unknown-key", "did you mean 'when'"),
    ("transferTo: ana", "transferTo: «desk and bo", f"{RULE}.transferTo", "missing-blank", "write [desk, bo]"),
    ("transferTo: ana", "followMe: [{«desk: 15s}, bo]", f"{RULE}.followMe[0]", "misplaced-name", "write {transferTo: desk, ring: 15s}"),
    # hours, days and durations written in other ways
    (HOURS, "hours: {mon-fri: «9:00 am-5pm}", MONDAY, "bad-time", "write 09:00-17:00"),
    (HOURS, "hours: {mon-fri: «8-16}", MONDAY, "bad-time", "write 08:00-16:00"),
    (HOURS, "hours: {mon-fri: «08.30-16.00}", MONDAY, "bad-time", "write 08:30-16:00"),
    (HOURS, "hours: {mon-fri: «08:30–16:00}", MONDAY, "bad-window", "an en dash (U+2013) stands there; write 08:30-16:00"),
    (HOURS, "hours: {mon-fri: «08:30 — 16:00}", MONDAY, "bad-window", "an em dash (U+2014) stands there; write 08:30-16:00"),
    (HOURS, "hours: {mon-fri: «08:30−16:00}", MONDAY, "bad-window", "a minus sign (U+2212) stands there; write 08:30-16:00"),
    (HOURS, "hours: {mon-fri: «Closed}", MONDAY, "bad-window", "write closed"),
    (HOURS, "hours: {«Monday: 09:00-17:00}", "schedules.office.hours.Monday", "bad-day", "write mon"),
    (HOURS, "hours: {«tue–thu: 09:00-17:00}", "schedules.office.hours.tue–thu", "bad-day", "an en dash (U+2013) stands there; write tue-thu"),
    (HOURS, "hours: {«weekdays: 09:00-17:00}", "schedules.office.hours.weekdays", "bad-day", "write mon-fri"),
    (HOURS, "hours: «mon-fri 9-17", "schedules.office.hours", "not-a-mapping", "write {mon-fri: 09:00-17:00}"),
    (HOURS, "hours: «[mon-fri 9-12 and 13-17, sat 10am-2pm]", "schedules.office.hours", "not-a-mapping", "write {mon-fri: [09:00-12:00, 13:00-17:00], sat: 10:00-14:00}"),
    (HOURS, "hours: «office hours", "schedules.office.hours", "not-a-mapping", "hours by day"),
    ("ring: 20s", "ring: «25 seconds", "transfer.ring", "bad-duration", "write 25s"),
    ("ring: 20s", "ring: «25sec", "transfer.ring", "bad-duration", "write 25s"),
    ("ring: 20s", "ring: «2 min", "transfer.ring", "bad-duration", "write 2m"),
    ("ring: 20s", "ring: «25 s", "transfer.ring", "bad-duration", "write 25s"),
    ("ring: 20s", "ring: «10 minutes", "transfer.ring", "bad-ring", "1 to 300"),
    # the same word in other spellings
    (EXPECT, "{to: main, outcomes: «noanswer, rings: [desk]}", "expect[0].outcomes", "unknown-value", "did you mean 'no-answer'"),
    (EXPECT, "{to: main, outcomes: «no_answer, rings: [desk]}", "expect[0].outcomes", "unknown-value", "did you mean 'no-answer'"),
    (EXPECT, "{to: main, outcomes: «No Answer, rings: [desk]}", "expect[0].outcomes", "unknown-value", "did you mean 'no-answer'"),
]
# fmt: on


def with_mistake(there: str, written: str) -> tuple[str, tuple[int, int]]:
    assert GOOD.count(there), there
    marked = GOOD.replace(there, written, 1)
    before, mark, _ = marked.partition("«")
    place = (before.count("\n") + 1, len(before) - before.rfind("\n")) if mark else (1, 1)
    return marked.replace("«", ""), place


def errors_of(text: str) -> list[Problem]:
    with pytest.raises(RulesError) as caught:
        read(text)
    return caught.value.errors


def test_the_file_without_a_mistake_is_good() -> None:
    assert {warning.code for warning in read(GOOD).warnings} <= {"unassigned-number"}


@pytest.mark.parametrize(
    ("there", "written", "path", "code", "word"), MISTAKES, ids=[each[1][:60] for each in MISTAKES]
)
def test_a_mistake_is_found_once_at_its_place(
    there: str, written: str, path: str, code: str, word: str
) -> None:
    text, place = with_mistake(there, written)
    marked = "«" in written  # what is missing is named at the place of what lacks it
    found = errors_of(text)
    shown = [error.as_json() for error in found]
    assert [(error.path, error.code) for error in found] == [(path, code)], shown
    assert word in found[0].message, shown
    if marked and (found[0].line, found[0].column) != place:
        # an empty value stands at the end of its key's line
        assert "written" in found[0].message, (shown, place)
        assert found[0].line in {place[0], place[0] + 1}, (shown, place)


# fmt: off
BROKEN = [
    ("", (1, 1), "empty-file"),
    ("# nothing here\n", (1, 1), "empty-file"),
    ("a string", (1, 1), "not-a-mapping"),
    ("- a\n- b\n", (1, 1), "not-a-mapping"),
    ("lines:\n\tmain: 1\n", (2, 1), "syntax"),
    ("lines: {a: [1, 2}\n", (1, 17), "syntax"),
    ("lines: a: b\n", (1, 8), "syntax"),
    ("lines: 'a\n", (1, 8), "syntax"),
    ("\u00e4: \u00f6\nx: \u0000\n", (2, 4), "syntax"),
    ("\u00e4: \u00f6\nx: \ud800\n", (2, 4), "syntax"),
    ("version: 1\n---\nversion: 1\n", (2, 1), "several-documents"),
    ("? [a, b]\n: 1\n", (1, 3), "bad-key"),
    ("version: *one\n", (1, 10), "bad-alias"),
    ("version: &a [*a]\n", (1, 14), "bad-alias"),
    ("version: " + "[" * 60 + "]" * 60, (1, 49), "too-deep"),
    ("version: " + "[" * 5000, (1, 49), "too-deep"),
    ("%YAML 3.0\n---\nversion: 1\n", (1, 1), "syntax"),
]
# fmt: on


@pytest.mark.parametrize(("text", "place", "code"), BROKEN, ids=[each[0][:20] for each in BROKEN])
def test_what_is_no_document_of_ours_is_refused_with_one_error(
    text: str, place: tuple[int, int], code: str
) -> None:
    (error,) = errors_of(text)
    assert (error.line, error.column, error.code) == (*place, code)


def test_an_alias_bomb_costs_no_time() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.perf_counter()
    (error,) = errors_of("\n".join(levels))
    assert (error.code, error.line) == ("too-large", 5)
    assert time.perf_counter() - started < 1


def test_calendars_that_name_one_another_many_times_cost_no_time() -> None:
    layers = [f"  a{n}: [a{n + 1}, b{n + 1}]\n  b{n}: [a{n + 1}, b{n + 1}]\n" for n in range(40)]
    text = GOOD.replace(
        "calendars:\n", "calendars:\n" + "".join(layers) + "  a40: 07-04\n  b40: 07-05\n"
    ).replace(DATES, "dates: a0")
    started = time.perf_counter()
    assert read(text).schedules["office"].exceptions
    assert time.perf_counter() - started < 2


def test_many_mistyped_names_in_a_large_file_cost_little_time() -> None:
    names = "".join(f"  name{n}: +19195550101\n" for n in range(3000))
    mistakes = "".join(f"      - {{transferTo: nme{n}}}\n" for n in range(1000))
    text = GOOD.replace("destinations:\n", "destinations:\n" + names)
    text = text.replace("    rules:\n", "    rules:\n" + mistakes)
    started = time.perf_counter()
    assert len(errors_of(text)) == 1000
    assert time.perf_counter() - started < 10


def test_all_errors_are_reported_together_in_order_of_place() -> None:
    text = GOOD
    for there, written in [
        ("ring: 20s", "ring: 20x"),
        ("capacity: 2", "capcity: 2"),
        (HOURS, "hours: {mon-fry: 09:00-17:00}"),
        ("transferTo: ana\n", "transferTo: anna\n"),
        ("otherwise: {transferTo: desk}", "otherwise: {}"),
        ("rings: [desk]", "rings: [dek]"),
    ]:
        text = text.replace(there, written, 1)
    found = [(error.line, error.path, error.code) for error in errors_of(text)]
    assert found == [
        (3, "transfer.ring", "bad-duration"),
        (6, "destinations.desk.capcity", "unknown-key"),
        (15, "schedules.office.hours.mon-fry", "bad-day"),
        (27, "lines.main.rules[1].transferTo", "unknown-name"),
        (29, "lines.main.otherwise", "missing-action"),
        (32, "expect[0].rings[0]", "unknown-name"),
    ]


def test_the_exception_says_what_is_first_and_how_many_more_there_are() -> None:
    with pytest.raises(RulesError, match=r"^line 3: transfer\.ring: .* \(and 1 more\)$"):
        read(GOOD.replace("ring: 20s", "ring: x").replace("capacity: 2", "capacity: x"))


def test_a_problem_is_plain_json() -> None:
    problem = Problem(12, 9, "lines.main", "unknown-name", "no")
    assert problem.as_json() == {
        "line": 12,
        "column": 9,
        "path": "lines.main",
        "code": "unknown-name",
        "message": "no",
    }
