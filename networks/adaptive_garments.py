"""Adaptive spiking neurons read garments: the small network of `adaptive_digits`, on FashionMNIST.

python networks/adaptive_garments.py --help    as adaptive_digits.py: call it with --set fashion
nengo networks/adaptive_garments.py            Nengo GUI, from committed weights

"""

from adaptive_digits import PARAMS, gui_model, main

if __name__ == "__main__":
    main()
elif PARAMS["fashion"].exists():
    model = gui_model("fashion")
    on_start = model.precision.start
