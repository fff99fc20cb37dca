"""Several processes that serve one model behind one door: routing by cache, health, draining, rolling change.

What a replica serves, and how, is `tutti.serve`; here are the processes (`processes`), who gets a request (`routing`),
the door (`front`), and answers that go on when their replica dies (`delivery`).
"""
