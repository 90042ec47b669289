"""What was compared, what differed, and which differences have a reason."""
import json


def say(*words):
    print(*words, flush=True)


class Report:
    def __init__(self):
        self.rows, self.bad, self.explained = [], [], []

    def row(self, what, compared, differ, note=""):
        self.rows.append((what, compared, differ, note))

    def difference(self, what, detail, reason=None):
        if reason:
            self.explained.append((what, detail, reason))
        else:
            self.bad.append((what, detail))

    def show(self):
        say("\n%-58s %9s %7s  %s" % ("compared", "count", "differ", "note"))
        for row in self.rows:
            say("%-58s %9d %7d  %s" % row)
        if self.explained:
            say("\ndifferences that have to be (version 3 of upstream, which this set follows, differs from 2.42 there):")
            for what, detail, reason in self.explained:
                say("  %s\n      %s\n      reason: %s" % (what, detail[:300], reason))
        if self.bad:
            say("\nDIFFERENCES:")
            for what, detail in self.bad[:60]:
                say("  %s\n      %s" % (what, detail[:700]))
            if len(self.bad) > 60:
                say("  ... and %d more" % (len(self.bad) - 60))
        say("\n%d unexplained differences, %d explained" % (len(self.bad), len(self.explained)))


def key_of(metric):
    return json.dumps(metric, sort_keys=True, ensure_ascii=False)
