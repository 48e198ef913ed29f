import { describe, expect, it } from "vitest";
import { inWords, isZone, withoutZone } from "./cron";

describe("a timetable in words", () => {
  it.each([
    ["* * * * *", "Every minute"],
    ["*/5 * * * *", "Every 5 minutes"],
    ["*/7 * * * *", "At the minutes 0, 7, 14, 21, 28, 35, 42, 49, and 56"],
    ["0 * * * *", "Every hour"],
    ["17 * * * *", "Every hour at minute 17"],
    ["0 */6 * * *", "Every 6 hours"],
    ["30 4 * * *", "At 04:30 every day"],
    ["0,30 4 * * ?", "At 04:00 and 04:30 every day"],
    ["0 22 * * 1-5", "At 22:00 from Monday to Friday"],
    ["0 22 * * MON,fri", "At 22:00 on Monday and Friday"],
    ["*/10 9-17 * * 1-5", "Every 10 minutes between 09:00 and 17:59 from Monday to Friday"],
    ["0 3 1 * *", "At 03:00 on the day 1 of the month"],
    ["0 3 1,15 jan,jul *", "At 03:00 on the days 1 and 15 of the month in January and July"],
    ["0 3 13 * 5", "At 03:00 on the day 13 of the month or on Friday"],
    ["0 3 1-31 * 5", "At 03:00 every day"],
    ["0 3 * * 0,6", "At 03:00 on Saturday and Sunday"],
    ["@daily", "At 00:00 every day"],
    ["@every 1h30m", "Every 1 h 30 min"],
    ["CRON_TZ=Europe/Berlin 30 4 * * *", "At 04:30 every day"],
  ])("%s", (text, words) => expect(inWords(text)).toBe(words));

  it.each([
    "",
    "* * * *",
    "60 * * * *",
    "* * * * 7",
    "5-1 * * * *",
    "*/0 * * * *",
    "@noon",
    "@every soon",
    "a b c d e",
  ])("is refused for %j", (text) => expect(inWords(text)).toBeNull());

  it("has its zone in front", () => {
    expect(withoutZone("CRON_TZ=Europe/Berlin 30 4 * * *")).toBe("30 4 * * *");
    expect(withoutZone("TZ=UTC @daily")).toBe("@daily");
    expect(isZone("Europe/Berlin")).toBe(true);
    expect(isZone("Mars/Olympus")).toBe(false);
  });
});
