"""Heart beats (ECG-QTDB): a recurrent network of balanced resonate-and-fire neurons."""
